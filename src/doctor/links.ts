/** rtnetlink requests that only the doctor makes so far. */
import { attrString, attrText, concat, nest, u32 } from "../net/attrs.ts";
import { IFLA, IFLA_INFO_KIND, ifinfomsg } from "../net/link.ts";
import { NLM_F, type Request, RTM } from "../net/message.ts";

const RTM_NEWQDISC = 36;
const TCA = { KIND: 1, OPTIONS: 2 } as const;
const TC_H_ROOT = 0xffffffff;
const LO = 1;

/** `ip link add NAME type KIND` */
export const addKind = (name: string, kind: string): Request => ({
  label: `make a ${kind}`,
  command: `ip link add ${name} type ${kind}`,
  type: RTM.NEWLINK,
  flags: NLM_F.CREATE | NLM_F.EXCL,
  body: concat([ifinfomsg(), attrString(IFLA.IFNAME, name), nest(IFLA.LINKINFO, attrText(IFLA_INFO_KIND, kind))]),
});

/** `tc qdisc add dev lo root netem`: struct tcmsg, then struct tc_netem_qopt {latency, limit, loss, gap, duplicate, jitter}. */
export const addNetem: Request = {
  label: "put netem on lo",
  command: "tc qdisc add dev lo root netem",
  type: RTM_NEWQDISC,
  flags: NLM_F.CREATE | NLM_F.EXCL,
  body: concat([
    concat([u32(0), u32(LO), u32(0), u32(TC_H_ROOT), u32(0)]),
    attrString(TCA.KIND, "netem"),
    nest(TCA.OPTIONS, concat([u32(0), u32(1000), u32(0), u32(0), u32(0), u32(0)])),
  ]),
};
