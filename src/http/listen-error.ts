/** An address that was asked for, and the settings that it came from. */
export interface Address {
  readonly port: number;
  readonly host: string;
  readonly names: { readonly port: string; readonly host: string };
}

/** Why an address cannot be had, and which setting to change. */
export function explainListenError({ code, message }: NodeJS.ErrnoException, { port, host, names }: Address): string {
  switch (code) {
    case 'EADDRINUSE':
      return `${names.port} ${port} is in use (${names.host} is ${host}); stop what listens there, or set ${names.port}`;
    case 'EACCES':
      return `${names.port} ${port} needs more rights than this user has: set ${names.port} to 1024 or more`;
    case 'EAFNOSUPPORT':
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${names.host} ${host} is no address of this machine: set ${names.host}, for example to 0.0.0.0`;
    default:
      return `cannot listen on ${names.host} ${host}, ${names.port} ${port}: ${message}`;
  }
}
