/** What of the library for e-mail is used. A bundle of its own, read when there is a mail to send, by the watchdog too. */
export { default as MimeNode } from 'nodemailer/lib/mime-node';
export { default as SMTPConnection } from 'nodemailer/lib/smtp-connection';
