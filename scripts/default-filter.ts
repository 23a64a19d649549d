/**
 * Writes src/security/default-filter.ts: `bun scripts/default-filter.ts`, after each change of the default policy. A start
 * must not pay for compiling what is always the same; test/security/default-policy.test.ts tells when it is out of date.
 */
import { $ } from "bun";
import { ARCHES, type Arch } from "../src/ffi/abi.ts";
import { compile, filterText } from "../src/security/compile.ts";
import { BY_CAPABILITY, defaultPolicy, initPolicy } from "../src/security/default-policy.ts";
import type { Policy } from "../src/security/policy.ts";

const rows = (make: (arch: Arch) => Policy): string =>
  ARCHES.map((arch) => `  ${arch}: "${filterText(compile(make(arch), arch))}",`).join("\n");

await Bun.write(
  "src/security/default-filter.ts",
  `/** Written by scripts/default-filter.ts: struct sock_filter[] in base64. \`nsrun seccomp dump\` shows it in words. */
import type { Arch } from "../ffi/abi.ts";

/** defaultPolicy() for a container without added capabilities. */
export const DEFAULT_FILTER: Readonly<Record<Arch, string>> = {
${rows((arch) => defaultPolicy(arch, new Set()))}
};

/** With any of these the filter is another. */
export const FILTER_CAPABILITIES: readonly string[] = ${JSON.stringify(Object.keys(BY_CAPABILITY))};

/** initPolicy() */
export const INIT_FILTER: Readonly<Record<Arch, string>> = {
${rows(initPolicy)}
};
`,
);
await $`node_modules/.bin/biome check --write src/security/default-filter.ts`.quiet();
