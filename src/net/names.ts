/** Names of interfaces, and the mark by which nsrun knows its own. */
import { UsageError } from "../errors.ts";

/** linux/if.h: IFNAMSIZ 16 and IFALIASZ 256, both with the NUL. */
const NAME_MAX = 15;
const ALIAS_MAX = 255;
const PREFIX = "nsr";
const MARK = "nsrun:";
/** /proc/sys/net/ipv4/conf has directories of these names. */
const TAKEN = new Set([".", "..", "all", "default"]);

/**
 * A name for the host's end of a pair: `nsr` and 12 random characters (62 bits), all that fits, so that two never meet.
 * Should they, the kernel refuses the second with EEXIST.
 */
export function hostIfname(): string {
  const random = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
  return PREFIX + (random % 36n ** 12n).toString(36).padStart(12, "0");
}

/** The mark of the container called `name`, for IFLA_IFALIAS: `nsrun:web`. Throws UsageError beyond 255 bytes. */
export function ifalias(name: string): string {
  const mark = MARK + name;
  if (Buffer.byteLength(mark) > ALIAS_MAX) throw new UsageError(`container name: longer than ${ALIAS_MAX - MARK.length} bytes`);
  return mark;
}

/** The container that an alias names; undefined when the link is not ours. */
export function containerOf(alias: string | undefined): string | undefined {
  return alias?.startsWith(MARK) ? alias.slice(MARK.length) : undefined;
}

/**
 * Refuses what the kernel's dev_valid_name refuses, and `%`, which it would replace by a number, and control characters.
 * Throws UsageError `--ifname eth/0: …`; `option` is how the user calls it.
 */
export function validateIfname(name: string, option = "interface"): string {
  const wrong = (why: string): UsageError => new UsageError(`${option} ${JSON.stringify(name)}: ${why}`);
  if (name === "") throw wrong("an interface name cannot be empty");
  if (Buffer.byteLength(name) > NAME_MAX) throw wrong(`an interface name has at most ${NAME_MAX} bytes`);
  if (TAKEN.has(name)) throw wrong("this interface name is reserved");
  if (/[/:%\s\0-\x1f\x7f]/.test(name)) throw wrong("an interface name cannot have '/', ':', '%', spaces or control characters");
  return name;
}
