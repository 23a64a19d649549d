/** What the build puts into the compiled file; `scripts/build.ts` replaces this module. From source there is nothing. */

/** The path of a static busybox for `Bun.file`. */
export const embeddedBusybox: string | undefined = undefined;

/** Its `--list-full`: paths without a leading slash, such as `bin/sh`. */
export const embeddedApplets: readonly string[] | undefined = undefined;
