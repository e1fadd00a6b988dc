/* devnet_proxy: the network between the nodes of a devnet, as it is made to be: a proxy for each
 * ordered pair, through which one node dials another, with two pipes (devnet_pipe.h) a connection.
 *
 * Ways are directed: a cut from a to b holds what a says to b on every connection between the two,
 * whoever dialled.  Connections are never ended by a cut, as a network would not end them; a new
 * one is not passed on until both ways are whole.
 *
 * Thread: the loop's. */
#ifndef KL_CLI_DEVNET_PROXY_H
#define KL_CLI_DEVNET_PROXY_H

#include "cli/devnet_pipe.h"
#include "sys/loop.h"

enum { KL_DEVNET_NODES_MAX = 32 };

struct kl_devnet_proxy;

/* Node i listens at ports[i] of 127.0.0.1.  KL_LIMIT, KL_NOMEM, KL_IO. */
KL_MUST_USE kl_status kl_devnet_proxy_open(struct kl_devnet_proxy **out, struct kl_loop *loop,
                                           u32 count, const u16 *ports, u64 seed);
void kl_devnet_proxy_close(struct kl_devnet_proxy *proxy); /* NULL is fine */

/* The port at which node `from` reaches node `to`. */
u16 kl_devnet_proxy_port(const struct kl_devnet_proxy *proxy, u32 from, u32 to);

/* The way from one to another; to be changed, then looked at anew. */
kl_devnet_way *kl_devnet_proxy_way(struct kl_devnet_proxy *proxy, u32 from, u32 to);
void kl_devnet_proxy_changed(struct kl_devnet_proxy *proxy);

#endif
