/** --plan=oci's linux.seccomp decides as the default filter does: read back by our reader of profiles, asked at every edge. */
import { expect, test } from "bun:test";
import { ARCHES } from "../../src/ffi/abi.ts";
import { unistd } from "../../src/ffi/unistd.ts";
import { AUDIT_ARCH } from "../../src/security/bpf.ts";
import { defaultPolicy } from "../../src/security/default-policy.ts";
import { DEFAULT_CAPABILITIES } from "../../src/security/defaults.ts";
import { ociSeccomp } from "../../src/security/oci.ts";
import { profilePolicy } from "../../src/security/profile.ts";
import { expected, tellingValues } from "./bpf.ts";

for (const arch of ARCHES) {
  for (const more of [[], ["CAP_SYS_ADMIN"], ["CAP_SYS_PTRACE", "CAP_SYS_TIME"]]) {
    test(`${arch}, with ${more.join(" ") || "the default's capabilities"}`, () => {
      const ours = defaultPolicy(arch, new Set([...DEFAULT_CAPABILITIES, ...more]));
      const json = JSON.parse(JSON.stringify(ociSeccomp(ours, arch)));
      const { policy, unknown } = profilePolicy(json, { arch, capabilities: new Set(), kernel: "6.1.0" }, "the config");
      expect(unknown).toEqual([]);
      let conditional = 0;
      for (const nr of [...unistd(arch).values(), 999]) {
        const decision = ours.calls.get(nr);
        if (decision?.cases.length) conditional++;
        const bits = Array.from({ length: 40 }, (_, bit) => 1n << BigInt(bit));
        for (const value of decision?.cases.length ? [...tellingValues(decision), ...bits] : [0n]) {
          const call = { nr, arch: AUDIT_ARCH[arch], args: [value, value, value, value, value, value] };
          expect([nr, value, expected(policy, arch, call)]).toEqual([nr, value, expected(ours, arch, call)]);
        }
      }
      expect(conditional).toBeGreaterThanOrEqual(3);
    });
  }
}
