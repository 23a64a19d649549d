/*
 * veth MODE [--ip]: gives a fresh network namespace a veth pair with the netlink messages of src/net, or with --ip by the `ip`
 * commands that do the same. Only that is timed. Run it in a network namespace of its own: unshare -n veth 50
 */
#include "common.h"
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#define HOST_END "nsrbench0"
#define HOST_ADDRESS 0x0100000a      /* 10.0.0.1 in network order */
#define CONTAINER_ADDRESS 0x0200000a /* 10.0.0.2 */
#define PREFIX 24

static int by_ip;
static char out[4096], in[32768];
static size_t used, message;
static unsigned seq;

/* A request's header; several may follow one another in one send. */
static void *begin(int type, int flags, size_t body) {
  message = used;
  struct nlmsghdr *h = (void *)(out + used);
  memset(h, 0, NLMSG_SPACE(body));
  h->nlmsg_type = type;
  h->nlmsg_flags = NLM_F_REQUEST | flags;
  h->nlmsg_seq = ++seq;
  used += NLMSG_SPACE(body);
  h->nlmsg_len = used - message;
  return NLMSG_DATA(h);
}

static struct rtattr *add(int type, const void *data, size_t length) {
  struct rtattr *a = (void *)(out + used);
  a->rta_type = type;
  a->rta_len = RTA_LENGTH(length);
  if (length) memcpy(RTA_DATA(a), data, length);
  used += RTA_SPACE(length);
  ((struct nlmsghdr *)(out + message))->nlmsg_len = used - message;
  return a;
}

static void nest_end(struct rtattr *a) { a->rta_len = out + used - (char *)a; }

static void add_name(const char *name) { add(IFLA_IFNAME, name, strlen(name) + 1); }

/* Sends what was begun, the last message asking for an acknowledgement; returns the ifindex of an answer, if any. */
static int exchange(int sock) {
  struct sockaddr_nl from;
  socklen_t size = sizeof from;
  int index = 0;
  ((struct nlmsghdr *)(out + message))->nlmsg_flags |= NLM_F_ACK;
  MUST(send(sock, out, used, 0));
  used = 0;
  for (;;) {
    int length = MUST(recvfrom(sock, in, sizeof in, MSG_TRUNC | MSG_DONTWAIT, (void *)&from, &size));
    for (struct nlmsghdr *h = (void *)in; NLMSG_OK(h, (unsigned)length); h = NLMSG_NEXT(h, length)) {
      if (h->nlmsg_type != NLMSG_ERROR) {
        index = ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
        continue;
      }
      errno = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
      if (errno) die("netlink");
      if (h->nlmsg_seq == seq) return index;
    }
  }
}

static int open_socket(void) {
  int sock = MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)), on = 1;
  const int options[] = {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK};
  for (int i = 0; i < 3; i++) MUST(setsockopt(sock, SOL_NETLINK, options[i], &on, sizeof on));
  return sock;
}

static int open_socket_in(int netns) {
  int own = MUST(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  MUST(setns(netns, CLONE_NEWNET));
  int sock = open_socket();
  MUST(setns(own, CLONE_NEWNET));
  close(own);
  return sock;
}

/* addVeth and setLinkAlias, one send */
static void add_pair(int sock, int netns) {
  struct ifinfomsg *link = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *link), peer = {0};
  link->ifi_flags = link->ifi_change = IFF_UP;
  add_name(HOST_END);
  struct rtattr *info = add(IFLA_LINKINFO, NULL, 0);
  add(IFLA_INFO_KIND, "veth", 4);
  struct rtattr *data = add(IFLA_INFO_DATA, NULL, 0), *other = add(VETH_INFO_PEER, &peer, sizeof peer);
  add(IFLA_NET_NS_FD, &netns, 4);
  add_name("eth0");
  nest_end(other);
  nest_end(data);
  nest_end(info);
  begin(RTM_NEWLINK, 0, sizeof *link);
  add(IFLA_IFALIAS, "nsrun:bench", 11);
  add_name(HOST_END);
  exchange(sock);
}

static int find_link(int sock, const char *name) {
  int mask = RTEXT_FILTER_SKIP_STATS;
  begin(RTM_GETLINK, 0, sizeof(struct ifinfomsg));
  add_name(name);
  add(IFLA_EXT_MASK, &mask, 4);
  return exchange(sock);
}

static void add_address(int sock, const char *name, unsigned address) {
  int index = find_link(sock, name);
  struct ifaddrmsg *a = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *a);
  *a = (struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = PREFIX, .ifa_index = index};
  add(IFA_LOCAL, &address, 4);
  add(IFA_ADDRESS, &address, 4);
  exchange(sock);
}

static void set_up(int sock, const char *name) {
  struct ifinfomsg *link = begin(RTM_NEWLINK, 0, sizeof *link);
  link->ifi_flags = link->ifi_change = IFF_UP;
  add_name(name);
  exchange(sock);
}

static void add_route(int sock, const char *name, unsigned gateway) {
  int index = find_link(sock, name);
  struct rtmsg *r = begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof *r);
  *r = (struct rtmsg){.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT, .rtm_type = RTN_UNICAST};
  add(RTA_GATEWAY, &gateway, 4);
  add(RTA_OIF, &index, 4);
  exchange(sock);
}

static int open_netns(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
  return MUST(open(path, O_RDONLY | O_CLOEXEC));
}

static void by_netlink(pid_t pid) {
  int netns = open_netns(pid), host = open_socket();
  add_pair(host, netns);
  add_address(host, HOST_END, HOST_ADDRESS);
  int inside = open_socket_in(netns);
  add_address(inside, "eth0", CONTAINER_ADDRESS);
  set_up(inside, "eth0");
  add_route(inside, "eth0", HOST_ADDRESS);
  close(inside);
  close(host);
  close(netns);
}

/* `ip WORDS`, in the namespace `netns` where it is not -1: entered before the exec, which is cheaper than `ip netns exec`. */
static void ip(int netns, char *words) {
  char *argv[20] = {"ip"};
  int n = 1;
  for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) argv[n++] = word;
  pid_t pid = MUST(vfork());
  if (pid == 0) {
    if (netns >= 0 && setns(netns, CLONE_NEWNET)) _exit(125);
    execvp("ip", argv);
    _exit(127);
  }
  int status;
  MUST(waitpid(pid, &status, 0));
  if (status) die("ip");
}

static void by_commands(pid_t pid) {
  int netns = open_netns(pid);
  char create[128];
  snprintf(create, sizeof create, "link add " HOST_END " type veth peer name eth0 netns %d", pid);
  char host_address[] = "address add 10.0.0.1/24 dev " HOST_END, host_up[] = "link set " HOST_END " up";
  char address[] = "address add 10.0.0.2/24 dev eth0", up[] = "link set eth0 up";
  char route[] = "route add default via 10.0.0.1 dev eth0";
  ip(-1, create);
  ip(-1, host_address);
  ip(-1, host_up);
  ip(netns, address);
  ip(netns, up);
  ip(netns, route);
  close(netns);
}

static void remove_pair(void) {
  int sock = open_socket();
  begin(RTM_DELLINK, 0, sizeof(struct ifinfomsg));
  add_name(HOST_END);
  exchange(sock);
  close(sock);
}

static int once(double *us) {
  int hold[2];
  MUST(pipe2(hold, O_CLOEXEC));
  pid_t pid = MUST(syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0));
  if (pid == 0) {
    close(hold[1]);
    _exit(read(hold[0], in, 1) < 0);
  }
  double start = now_us();
  if (by_ip) by_commands(pid);
  else by_netlink(pid);
  *us = now_us() - start;
  remove_pair();
  close(hold[0]);
  close(hold[1]);
  MUST(waitpid(pid, NULL, 0));
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: veth serve|N [--ip]\n"), 2;
  by_ip = argc > 2 && strcmp(argv[2], "--ip") == 0;
  return drive(argv[1], once);
}
