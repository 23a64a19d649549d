/** The names of a container: its own, and those of its uts namespace. */
import { UsageError } from "../errors.ts";
import { byteLength } from "../ffi/text.ts";
import type { ContainerOptions } from "./options.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

function hostName(text: string, option: string): string {
  if (byteLength(text) > 64 || /[^\x21-\x7e]/.test(text))
    throw new UsageError(`${option} ${text}: expected at most 64 ASCII letters, digits and signs, no blank`);
  return text;
}

/** Of a uts namespace of the container's own; the host name is the container's where none is given. */
export function hostNames({ hostname, domainname }: ContainerOptions, own: boolean, name: string) {
  if (!own) {
    const given = hostname !== undefined ? "hostname" : "domainname";
    if (hostname !== undefined || domainname !== undefined)
      throw new UsageError(`--${given} needs a uts namespace of the container's own`);
    return { hostname, domainname };
  }
  if (hostname === "") throw new UsageError("--hostname: the name is empty");
  return {
    hostname: hostname === undefined ? name : hostName(hostname, "--hostname"),
    domainname: domainname === undefined ? undefined : hostName(domainname, "--domainname"),
  };
}

export function checkName(name: string): string {
  if (!NAME.test(name))
    throw new UsageError(`--name ${name}: expected letters, digits and _.- (at most 63, not starting with one of _.-)`);
  return name;
}
