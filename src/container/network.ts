/** --net: what the plan makes of the network, and what it needs from outside. */
import { UsageError } from "../errors.ts";
import type { ContainerSpec, NetSpec } from "../plan/spec.ts";
import type { Caller } from "./caller.ts";
import type { ContainerOptions } from "./options.ts";
import type { NetworkDriver } from "./slots.ts";

/** What the network part needs from outside: addresses reserved, a name made. */
export interface NetPlan {
  readonly net: NetSpec;
  /** Gives the reservation back and removes what is left of the pair. */
  readonly release: () => void;
  readonly driver?: NetworkDriver;
}

/** CVE-2020-15257: abstract unix(7) sockets belong to a network namespace, and know no permissions. */
const HOST_NET =
  "the host's network is shared: what listens on its loopback or on an abstract socket is within reach, and has to ask who connects";

export async function network(
  options: ContainerOptions,
  uses: ContainerSpec["namespaces"],
  name: string,
  caller: Caller,
): Promise<NetPlan> {
  const wantsPair = options.net === "veth";
  if (options.net === "pasta") {
    const { uplinkPlan } = await import("./uplink.ts");
    return uplinkPlan(options, caller);
  }
  if (options.publish && options.publish.length > 0) {
    const hint = wantsPair ? "with --net veth the host reaches the container by its address, at every port" : undefined;
    throw new UsageError("--publish needs --net pasta", { hint });
  }
  for (const key of ["ip", "hostIp", "gateway", "ifname"] as const) {
    if (options[key] !== undefined && !wantsPair) {
      throw new UsageError(`--${key.replace("I", "-i")} needs --net veth`);
    }
  }
  if (wantsPair) {
    if (!caller.admin || uses.user.mode === "join") {
      throw new UsageError("--net veth needs root: one end of the pair lies in the host's network namespace", {
        hint: "without root: --net pasta (the host's network by the program pasta), --net none (loopback only) or --net host",
      });
    }
    const { vethPlan } = await import("./veth.ts");
    return vethPlan(options, name);
  }
  const { mode } = uses.net;
  if (mode === "share" && options.namespaces !== false) options.say?.(HOST_NET);
  return { net: { mode: mode === "new" ? "none" : mode === "share" ? "host" : "join" }, release: () => {} };
}
