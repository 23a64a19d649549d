/** What this kernel can, in the words of `nsrun doctor`: for tests of what older ones cannot. */
import { NSRUN, shell } from "./helpers.ts";

/** tmpfs maps owners: Linux 6.3 on. */
export const MAPPED_TMPFS = "idmapped tmpfs";
/** tmpfs has user.* attributes, which an overlay made in a user namespace needs: Linux 6.6 on. */
export const OVERLAY_RMDIR = "overlay there: rmdir below";

export async function kernelCan(feature: string): Promise<boolean> {
  const { stdout } = await shell([...NSRUN, "doctor", "--json"]);
  const { results } = JSON.parse(stdout) as { results: { name: string; works: boolean }[] };
  return results.find(({ name }) => name === feature)!.works;
}
