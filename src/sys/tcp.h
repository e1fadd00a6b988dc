/* tcp: TCP over IPv4 and IPv6, non-blocking.  Descriptors are plain ints, closed on exec;
 * writing to a connection the other side has closed is a status, never a signal.  Thread: any. */
#ifndef KL_SYS_TCP_H
#define KL_SYS_TCP_H

#include "base/span.h"
#include "base/status.h"

/* Listens on a numeric address ("127.0.0.1", "::1"); port 0 takes any free one.  KL_BUSY when the
 * port is taken, KL_UNSUPPORTED when this user may not take it, KL_NOTFOUND when host is no address
 * of this machine or no address at all, KL_LIMIT, KL_IO. */
KL_MUST_USE kl_status kl_tcp_listen(int *out, const char *host, u16 port);

/* The port a socket is bound to. */
u16 kl_tcp_port(int fd);

/* The next waiting connection, small writes sent at once (TCP_NODELAY).  KL_AGAIN: none is waiting;
 * KL_LIMIT: no descriptors or memory left, it stays waiting; KL_IO. */
KL_MUST_USE kl_status kl_tcp_accept(int *out, int listener);

/* Whom a connected socket is connected with, as "127.0.0.1:30300" or "[::1]:30300"; "?" when it is
 * connected no more. */
enum { KL_TCP_TEXT_MAX = 56 };
void kl_tcp_peer(int fd, char out[KL_TCP_TEXT_MAX]);

/* A numeric address and a port; an IPv4 address that came in the form of an IPv6 one is an IPv4
 * one. */
typedef struct kl_tcp_address {
    bool six;
    u8 ip[16]; /* of IPv4 the first four */
    u16 port;
} kl_tcp_address;
/* Of one of the system's, IPv4 or IPv6. */
struct sockaddr;
void kl_tcp_address_of(kl_tcp_address *out, const struct sockaddr *at);
/* False: the socket is connected no more. */
bool kl_tcp_peer_address(int fd, kl_tcp_address *out);
/* As kl_tcp_dial. */
KL_MUST_USE kl_status kl_tcp_dial_address(int *out, const kl_tcp_address *to);

/* Begins to connect to a numeric address; when the socket can be written to, kl_tcp_dialled says
 * how that went.  KL_NOTFOUND (no address), KL_LIMIT, KL_IO. */
KL_MUST_USE kl_status kl_tcp_dial(int *out, const char *host, u16 port);
KL_MUST_USE kl_status kl_tcp_dialled(int fd);
/* The same, from a numeric address of this machine; for tests.  KL_NOTFOUND: that is none. */
KL_MUST_USE kl_status kl_tcp_dial_from(int *out, const char *from, const char *host, u16 port);

/* Connects to a numeric address and waits for it; for tests and tools. */
KL_MUST_USE kl_status kl_tcp_connect(int *out, const char *host, u16 port);

/* Up to len bytes; *got is 0 at the end of the stream.  KL_AGAIN, KL_IO. */
KL_MUST_USE kl_status kl_tcp_read(int fd, void *bytes, usize len, usize *got);

/* As many bytes as fit now, at least one.  KL_AGAIN, KL_IO. */
KL_MUST_USE kl_status kl_tcp_write(int fd, kl_span bytes, usize *put);

/* Says that no more bytes will be written. */
void kl_tcp_finish(int fd);

/* A negative fd is fine. */
void kl_tcp_close(int fd);

/* Raises this process's limit of descriptors to what it is allowed; returns it. */
usize kl_tcp_room(void);

#endif
