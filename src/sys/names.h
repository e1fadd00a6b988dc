/* names: where hosts are, by what the system knows of names: its hosts file, DNS. */
#ifndef KL_SYS_NAMES_H
#define KL_SYS_NAMES_H

#include "sys/tcp.h"

typedef enum kl_names_family {
    KL_NAMES_ANY,
    KL_NAMES_FOUR,
    KL_NAMES_SIX,
} kl_names_family;

/* A source of addresses, asked by several threads at once.  find may wait for long; it fills at
 * most max and returns how many; 0: the name is not known, or nobody could be asked. */
struct kl_names {
    usize (*find)(struct kl_names *names, const char *name, kl_names_family family,
                  kl_tcp_address *out, usize max); /* ports: 0 */
};

struct kl_names *kl_sys_names(void);

#endif
