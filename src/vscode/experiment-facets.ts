import type { ExperimentBrief, TrialBrief } from './experiment-brief.ts';
import type { Facet } from './facets.ts';

export function experimentFacets({ status }: Pick<ExperimentBrief, 'status'>): string {
  const facets: Facet[] = ['experiment'];
  if (status === 'working' || status === 'elsewhere') facets.push('working');
  if (status === 'incomplete' || status === 'short' || status === 'elsewhere') facets.push('left');
  return facets.join(' ');
}

export function trialFacets({ runId, status }: Pick<TrialBrief, 'runId' | 'status'>): string {
  const facets: Facet[] = ['trial'];
  if (runId !== null && status !== 'claimed') facets.push('begun');
  if (status === 'result' || status === 'no_result') facets.push('closed');
  return facets.join(' ');
}
