/** nsrun/net: addresses and rtnetlink. */
export { type Address, addAddress, listAddresses } from "./address.ts";
export * from "./cidr.ts";
export {
  findLink,
  type Link,
  listLinks,
  removeLink,
  setLinkAlias,
  setLinkDown,
  setLinkUp,
} from "./link.ts";
export type { Message, Request } from "./message.ts";
export { containerOf, hostIfname, ifalias, validateIfname } from "./names.ts";
export { completePair, reserveSubnet, type Subnet, type SubnetOptions } from "./reserve.ts";
export { addDefaultRoute, listRoutes, type Route } from "./route.ts";
export { NetlinkSocket } from "./socket.ts";
export { describe, type NetVerb, toRequests } from "./verb.ts";
export { addVeth, type VethOptions } from "./veth.ts";
