/* tcp: the calls of the kernel, with their errors as statuses. */
#include "sys/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, KINDS = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC };

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;

/* The length of the address, or 0 when host is none. */
static socklen_t address_of(address *out, const char *host, u16 port)
{
    *out = (address){0};
    if (inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        return sizeof out->v4;
    }
    if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        return sizeof out->v6;
    }
    return 0;
}

static kl_status status_of(int error_number)
{
    switch (error_number) {
    case EAGAIN:
    case EINTR:
        return KL_AGAIN;
    case EADDRINUSE:
        return KL_BUSY;
    case EACCES:
        return KL_UNSUPPORTED;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case ECONNREFUSED:
        return KL_NOTFOUND;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return KL_LIMIT;
    default:
        return KL_IO;
    }
}

static void set(int fd, int level, int option)
{
    static const int on = 1;
    KL_ASSERT(setsockopt(fd, level, option, &on, sizeof on) == 0 || errno == EINVAL);
}

kl_status kl_tcp_listen(int *out, const char *host, u16 port)
{
    address at;
    socklen_t len = address_of(&at, host, port);
    if (len == 0)
        return KL_NOTFOUND;
    int fd = socket(at.any.sa_family, KINDS, 0);
    if (fd < 0)
        return status_of(errno);
    set(fd, SOL_SOCKET, SO_REUSEADDR);
    if (bind(fd, &at.any, len) != 0 || listen(fd, BACKLOG) != 0) {
        kl_status failed = status_of(errno);
        close(fd);
        return failed;
    }
    *out = fd;
    return KL_OK;
}

u16 kl_tcp_port(int fd)
{
    address at;
    socklen_t len = sizeof at;
    KL_ASSERT(getsockname(fd, &at.any, &len) == 0);
    return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

static void address_get(kl_tcp_address *out, const address *at)
{
    static const u8 mapped[12] = {[10] = 0xff, [11] = 0xff};
    const u8 *six = at->v6.sin6_addr.s6_addr;
    bool is_six = at->any.sa_family == AF_INET6;
    *out = (kl_tcp_address){.port = ntohs(is_six ? at->v6.sin6_port : at->v4.sin_port)};
    if (!is_six) {
        memcpy(out->ip, &at->v4.sin_addr, 4);
    } else if (memcmp(six, mapped, sizeof mapped) == 0) {
        memcpy(out->ip, six + sizeof mapped, 4);
    } else {
        out->six = true;
        memcpy(out->ip, six, 16);
    }
}

void kl_tcp_address_of(kl_tcp_address *out, const struct sockaddr *at)
{
    address copy = {0};
    memcpy(&copy, at, at->sa_family == AF_INET6 ? sizeof copy.v6 : sizeof copy.v4);
    address_get(out, &copy);
}

bool kl_tcp_peer_address(int fd, kl_tcp_address *out)
{
    address at = {0};
    socklen_t len = sizeof at;
    if (getpeername(fd, &at.any, &len) != 0)
        return false;
    address_get(out, &at);
    return true;
}

void kl_tcp_peer(int fd, char out[KL_TCP_TEXT_MAX])
{
    kl_tcp_address at;
    char host[INET6_ADDRSTRLEN];
    if (!kl_tcp_peer_address(fd, &at) ||
        !inet_ntop(at.six ? AF_INET6 : AF_INET, at.ip, host, sizeof host))
        snprintf(out, KL_TCP_TEXT_MAX, "?");
    else
        snprintf(out, KL_TCP_TEXT_MAX, at.six ? "[%s]:%u" : "%s:%u", host, at.port);
}

kl_status kl_tcp_accept(int *out, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        /* a connection that is gone before it is accepted is no trouble of the listener's */
        return errno == ECONNABORTED || errno == EPROTO ? KL_AGAIN : status_of(errno);
    set(fd, IPPROTO_TCP, TCP_NODELAY);
    *out = fd;
    return KL_OK;
}

/* from may be NULL. */
static kl_status dial(int *out, const address *from, const address *at, socklen_t len)
{
    int fd = socket(at->any.sa_family, KINDS, 0);
    if (fd < 0)
        return status_of(errno);
    if (from && bind(fd, &from->any, len) != 0) {
        close(fd);
        return KL_NOTFOUND;
    }
    int failed = connect(fd, &at->any, len) == 0 ? 0 : errno;
    if (failed && failed != EINPROGRESS) {
        close(fd);
        return status_of(failed);
    }
    set(fd, IPPROTO_TCP, TCP_NODELAY);
    *out = fd;
    return KL_OK;
}

kl_status kl_tcp_dial(int *out, const char *host, u16 port)
{
    address at;
    socklen_t len = address_of(&at, host, port);
    return len ? dial(out, NULL, &at, len) : KL_NOTFOUND;
}

kl_status kl_tcp_dial_from(int *out, const char *from, const char *host, u16 port)
{
    address at, own;
    socklen_t len = address_of(&at, host, port);
    return len && address_of(&own, from, 0) == len ? dial(out, &own, &at, len) : KL_NOTFOUND;
}

kl_status kl_tcp_dial_address(int *out, const kl_tcp_address *to)
{
    address at = {0};
    if (to->six) {
        at.v6.sin6_family = AF_INET6;
        at.v6.sin6_port = htons(to->port);
        memcpy(at.v6.sin6_addr.s6_addr, to->ip, 16);
    } else {
        at.v4.sin_family = AF_INET;
        at.v4.sin_port = htons(to->port);
        memcpy(&at.v4.sin_addr, to->ip, 4);
    }
    return dial(out, NULL, &at, to->six ? sizeof at.v6 : sizeof at.v4);
}

kl_status kl_tcp_dialled(int fd)
{
    int failed = 0;
    socklen_t size = sizeof failed;
    KL_ASSERT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0);
    return failed ? status_of(failed) : KL_OK;
}

kl_status kl_tcp_connect(int *out, const char *host, u16 port)
{
    int fd;
    KL_TRY(kl_tcp_dial(&fd, host, port));
    struct pollfd done = {.fd = fd, .events = POLLOUT};
    while (poll(&done, 1, -1) < 0 && errno == EINTR)
        continue;
    kl_status status = kl_tcp_dialled(fd);
    if (status != KL_OK) {
        close(fd);
        return status;
    }
    *out = fd;
    return KL_OK;
}

kl_status kl_tcp_read(int fd, void *bytes, usize len, usize *got)
{
    ssize_t n = recv(fd, bytes, len, 0);
    if (n < 0)
        return status_of(errno) == KL_AGAIN ? KL_AGAIN : KL_IO;
    *got = (usize)n;
    return KL_OK;
}

kl_status kl_tcp_write(int fd, kl_span bytes, usize *put)
{
    ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);
    if (n < 0)
        return status_of(errno) == KL_AGAIN ? KL_AGAIN : KL_IO;
    *put = (usize)n;
    return KL_OK;
}

void kl_tcp_finish(int fd)
{
    (void)shutdown(fd, SHUT_WR);
}

void kl_tcp_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

usize kl_tcp_room(void)
{
    struct rlimit limit;
    KL_ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (limit.rlim_cur < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit = raised;
    return limit.rlim_cur;
}
