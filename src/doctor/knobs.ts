/** Settings of the machine that take something away: read, and named with the command that gives it back. */
import { maskedPaths } from "../container/refusals.ts";
import { readText } from "../ffi/file.ts";
import { asRoot, type Finding, type Host, looked, type Probe } from "./probe.ts";

const read = (path: string): string | undefined => {
  const text = readText(path);
  return typeof text === "number" ? undefined : text.trim();
};

interface Knob {
  readonly name: string;
  readonly path: string;
  /** What the value takes away; undefined when it takes nothing. */
  readonly bad: (value: string, host: Host) => boolean;
  readonly lost: string;
  readonly remedy: string | (() => string);
}

const self = (): string => process.execPath;

/** AppArmor's own way: a profile that allows nothing but what an unconfined program may, and user namespaces. */
export function appArmorProfile(program = self()): string {
  const profile = `abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile nsrun "${program}" flags=(unconfined) {\\n  userns,\\n}\\n`;
  return `printf '${profile}' | sudo tee /etc/apparmor.d/nsrun && sudo apparmor_parser -r /etc/apparmor.d/nsrun`;
}

const sysctl = (assignment: string) => () => asRoot(`sysctl ${assignment}`);
const KINDS = ["user", "pid", "net", "mnt", "uts", "ipc", "cgroup", "time"] as const;

export const KNOBS: readonly Knob[] = [
  {
    name: "unprivileged_userns_clone",
    path: "/proc/sys/kernel/unprivileged_userns_clone",
    bad: (value, { admin }) => value === "0" && !admin,
    lost: "user namespaces for ordinary users",
    remedy: sysctl("kernel.unprivileged_userns_clone=1"),
  },
  {
    name: "AppArmor and user namespaces",
    path: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    bad: (value, { admin }) => value === "1" && !admin,
    lost: "capabilities in user namespaces of ordinary users",
    remedy: () => appArmorProfile(),
  },
  ...KINDS.map((kind) => ({
    name: `max_${kind}_namespaces`,
    path: `/proc/sys/user/max_${kind}_namespaces`,
    bad: (value: string) => value === "0",
    lost: `${kind} namespaces`,
    remedy: sysctl(`user.max_${kind}_namespaces=10000`),
  })),
  {
    name: "memfd_noexec",
    path: "/proc/sys/vm/memfd_noexec",
    bad: (value) => value === "2",
    lost: "programs in memory: nsrun starts from an unnamed file instead",
    remedy: sysctl("vm.memfd_noexec=1"),
  },
  {
    name: "fb_tunnels_only_for_init_net",
    path: "/proc/sys/net/core/fb_tunnels_only_for_init_net",
    bad: (value) =>
      value === "0" && (read("/proc/modules") ?? "").split("\n").some((line) => /^(ipip|sit|ip_gre|ip6_tunnel) /.test(line)),
    lost: "speed: each network namespace gets tunnel devices and takes thrice as long",
    remedy: sysctl("net.core.fb_tunnels_only_for_init_net=1"),
  },
  {
    name: "ip_unprivileged_port_start",
    path: "/proc/sys/net/ipv4/ip_unprivileged_port_start",
    bad: (value, { euid }) => euid !== 0 && Number(value) > 80,
    lost: "-p of ports below it, such as 80, without root",
    remedy: sysctl("net.ipv4.ip_unprivileged_port_start=80"),
  },
];

function look({ path, bad }: Knob, host: Host): Finding {
  const value = read(path);
  if (value === undefined) return { works: true, detail: "this kernel has no such setting" };
  return bad(value, host) ? { works: false, detail: `it is ${value}` } : { works: true, detail: value };
}

const knobProbe = (knob: Knob): Probe => ({
  name: knob.name,
  lost: knob.lost,
  remedy: typeof knob.remedy === "string" ? knob.remedy : () => (knob.remedy as () => string)(),
  attempt: (host) => looked(look(knob, host)),
});

const masks: Probe = {
  name: "/proc unmasked",
  lost: "a fresh /proc in a user namespace: only with --share pid",
  attempt: () => {
    const masked = maskedPaths(read("/proc/self/mountinfo") ?? "");
    return looked(
      masked.length === 0 ? { works: true } : { works: false, detail: `an outer container hides ${masked.join(" ")}` },
    );
  },
  remedy: "docker run --security-opt systempaths=unconfined … (podman: --security-opt unmask=ALL)",
};

export const knobProbes: readonly Probe[] = [...KNOBS.map(knobProbe), masks];
