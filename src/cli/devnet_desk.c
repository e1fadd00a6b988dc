/* What a second terminal asks for: a line of words through a socket in the network's folder, and a
 * text back, whose first byte says whether it was done.  Only the parent knows its children, so
 * that no signal ever goes to a process of somebody else's. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/devnet.h"
#include "sys/fs.h"

#define SOCKET_NAME "devnet.control"
#define DONE        '+'
#define REFUSED     '-'
#define NS_PER_MS   1000000u

enum { WORDS_MAX = 4, LATENCY_MAX_MS = 60000, LOSS_MAX = 90 };

/* A path by the folder's descriptor: the folder's own may be longer than an address takes. */
static bool address_of(struct sockaddr_un *out, const char *dir, int *folder)
{
    *folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (*folder >= 0)
        snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/" SOCKET_NAME, *folder);
    return *folder >= 0;
}

/* --- what is asked for --- */

struct order {
    struct kl_devnet *d;
    char *words[WORDS_MAX];
    u32 count;
    char text[300]; /* the answer */
    bool waits;     /* for the table */
};

static bool read_number(const char *text, u64 max, u64 *out)
{
    u64 value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || (value = value * 10 + (u64)(*text - '0')) > max)
            return false;
    }
    *out = value;
    return true;
}

/* "0,2": a set of nodes, by bits. */
static bool read_group(struct order *o, const char *text, u32 *out)
{
    char copy[256], *rest = copy, *word;
    *out = 0;
    snprintf(copy, sizeof copy, "%s", text);
    while ((word = strsep(&rest, ",")) != NULL) {
        u64 i;
        if (!read_number(word, o->d->count - 1, &i)) {
            snprintf(o->text, sizeof o->text, "'%.40s' is no node; there are 0 to %u", word,
                     o->d->count - 1);
            return false;
        }
        *out |= 1u << i;
    }
    return true;
}

static bool do_status(struct order *o)
{
    o->waits = true;
    kl_devnet_table_ask(o->d);
    return true;
}

static bool signal_all(struct order *o, int number, const char *what)
{
    u32 group;
    if (!read_group(o, o->words[1], &group))
        return false;
    for (u32 i = 0; i < o->d->count; i++) {
        if (!(group >> i & 1))
            continue;
        if (!o->d->children[i].pid) {
            snprintf(o->text, sizeof o->text, "node %u is not running", i);
            return false;
        }
        kl_devnet_child_signal(o->d, i, number);
        if (what)
            kl_devnet_say(o->d, i, "%s", what);
    }
    return true;
}

static bool do_kill(struct order *o)
{
    return signal_all(o, SIGKILL, NULL);
}

static bool do_stop(struct order *o)
{
    return signal_all(o, SIGSTOP, "(stands still)");
}

static bool do_cont(struct order *o)
{
    return signal_all(o, SIGCONT, "(goes on)");
}

static bool do_restart(struct order *o)
{
    u32 group;
    if (!read_group(o, o->words[1], &group))
        return false;
    for (u32 i = 0; i < o->d->count; i++)
        if (group >> i & 1)
            kl_devnet_child_restart(o->d, i);
    return true;
}

static void put_nodes(const struct kl_devnet *d, char *out, usize cap, u32 group)
{
    usize len = 0;
    out[0] = '\0';
    for (u32 i = 0; i < d->count && len < cap; i++)
        if (group >> i & 1)
            len += (usize)snprintf(out + len, cap - len, "%s%u", len ? "," : "", i);
}

/* The network has changed: for people, and for the connections. */
static bool changed(struct order *o)
{
    struct kl_devnet *d = o->d;
    char these[100], those[100];
    u32 everybody = (u32)((UINT64_C(1) << d->count) - 1);
    usize len = 0;
    put_nodes(d, these, sizeof these, d->cut_off);
    put_nodes(d, those, sizeof those, everybody & ~d->cut_off);
    d->network[0] = '\0';
    if (d->cut_off)
        len = (usize)snprintf(d->network, sizeof d->network,
                              d->one_way ? "what %s say does not reach %s" : "%s cut off from %s",
                              these, those);
    if (d->latency_ms || d->loss_percent)
        snprintf(d->network + len, sizeof d->network - len,
                 "%slatency %llu ms each way, loss %llu %%", len ? "; " : "",
                 (unsigned long long)d->latency_ms, (unsigned long long)d->loss_percent);
    kl_devnet_proxy_changed(d->proxy);
    d->stale = true;
    kl_buf_print(&d->log, "network: %s\n", d->network[0] ? d->network : "whole");
    return true;
}

static bool needs_proxy(struct order *o)
{
    if (!o->d->proxy)
        snprintf(o->text, sizeof o->text,
                 "this devnet runs with --no-proxy: its network is as "
                 "it is");
    return o->d->proxy != NULL;
}

static bool do_partition(struct order *o)
{
    bool one_way = o->count > 2 && strcmp(o->words[2], "one-way") == 0;
    struct kl_devnet *d = o->d;
    u32 group, everybody = (u32)((UINT64_C(1) << d->count) - 1);
    if (!needs_proxy(o) || !read_group(o, o->words[1], &group))
        return false;
    if (group == everybody) {
        snprintf(o->text, sizeof o->text, "that is everybody: nobody is on the other side");
        return false;
    }
    for (u32 i = 0; i < d->count; i++)
        for (u32 k = 0; k < d->count; k++) {
            bool leaves = (group >> i & 1) && !(group >> k & 1);
            bool enters = !(group >> i & 1) && (group >> k & 1);
            kl_devnet_proxy_way(d->proxy, i, k)->cut = leaves || (enters && !one_way);
        }
    d->cut_off = group;
    d->one_way = one_way;
    return changed(o);
}

static bool do_heal(struct order *o)
{
    if (!needs_proxy(o))
        return false;
    for (u32 i = 0; i < o->d->count; i++)
        for (u32 k = 0; k < o->d->count; k++)
            kl_devnet_proxy_way(o->d->proxy, i, k)->cut = false;
    o->d->cut_off = 0;
    return changed(o);
}

/* Every way between two nodes becomes like this. */
static bool set_ways(struct order *o)
{
    struct kl_devnet *d = o->d;
    for (u32 i = 0; i < d->count; i++)
        for (u32 k = 0; k < d->count; k++) {
            kl_devnet_way *way = kl_devnet_proxy_way(d->proxy, i, k);
            way->latency_ns = d->latency_ms * NS_PER_MS;
            way->loss_percent = (u32)d->loss_percent;
        }
    return changed(o);
}

static bool do_latency(struct order *o)
{
    if (!needs_proxy(o))
        return false;
    if (!read_number(o->words[1], LATENCY_MAX_MS, &o->d->latency_ms)) {
        snprintf(o->text, sizeof o->text, "latency takes 0 to %u ms", LATENCY_MAX_MS);
        return false;
    }
    return set_ways(o);
}

static bool do_loss(struct order *o)
{
    if (!needs_proxy(o))
        return false;
    if (!read_number(o->words[1], LOSS_MAX, &o->d->loss_percent)) {
        snprintf(o->text, sizeof o->text, "loss takes 0 to %u percent", LOSS_MAX);
        return false;
    }
    return set_ways(o);
}

static bool obey(struct order *o)
{
    static const struct {
        const char *name;
        u32 least, most; /* words */
        bool (*obey)(struct order *o);
    } rows[] = {
        {"status", 1, 1, do_status},   {"kill", 2, 2, do_kill},
        {"stop", 2, 2, do_stop},       {"cont", 2, 2, do_cont},
        {"restart", 2, 2, do_restart}, {"partition", 2, 3, do_partition},
        {"heal", 1, 1, do_heal},       {"latency", 2, 2, do_latency},
        {"loss", 2, 2, do_loss},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows) && o->count; i++)
        if (strcmp(o->words[0], rows[i].name) == 0 && o->count >= rows[i].least &&
            o->count <= rows[i].most)
            return rows[i].obey(o);
    snprintf(o->text, sizeof o->text, "not understood");
    return false;
}

/* --- who asks --- */

static void close_client(struct kl_devnet_client *client)
{
    if (client->watch.fd < 0)
        return;
    kl_loop_remove(client->devnet->loop, &client->watch);
    close(client->watch.fd);
    client->watch.fd = -1;
    client->waits = false;
}

/* A few KiB, which a socket takes at once. */
static void answer(struct kl_devnet_client *client, char how, kl_span text)
{
    struct kl_buf out;
    kl_buf_init(&out, 1 << 16);
    kl_buf_bytes(&out, &how, 1);
    kl_buf_span(&out, text);
    (void)!send(client->watch.fd, out.p, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    kl_buf_done(&out);
    close_client(client);
}

static void take_order(struct kl_devnet_client *client)
{
    struct order order = {.d = client->devnet};
    char *rest = client->line, *word;
    while (order.count < WORDS_MAX && (word = strsep(&rest, " \n")) != NULL)
        if (*word)
            order.words[order.count++] = word;
    bool done = obey(&order);
    client->waits = done && order.waits;
    if (!client->waits)
        answer(client, done ? DONE : REFUSED, kl_span_str(order.text));
}

void kl_devnet_desk_table(struct kl_devnet *d)
{
    struct kl_buf table;
    kl_buf_init(&table, 1 << 20);
    kl_devnet_table_print(d, &table);
    for (usize i = 0; i < KL_DEVNET_CLIENTS_MAX; i++)
        if (d->clients[i].waits)
            answer(&d->clients[i], DONE, kl_buf_view(&table));
    kl_buf_done(&table);
}

static bool on_client(struct kl_watch *watch, KL_UNUSED unsigned what)
{
    struct kl_devnet_client *client = watch->owner;
    usize room = sizeof client->line - 1 - client->len;
    ssize_t got = read(watch->fd, client->line + client->len, room);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0 || client->waits) { /* it has gone */
        close_client(client);
        return true;
    }
    client->len += (usize)got;
    client->line[client->len] = '\0';
    if (strchr(client->line, '\n'))
        take_order(client);
    else if ((usize)got == room)
        close_client(client);
    return true;
}

static bool on_desk(struct kl_watch *watch, KL_UNUSED unsigned what)
{
    struct kl_devnet *d = watch->owner;
    struct kl_devnet_client *client = d->clients, *end = client + KL_DEVNET_CLIENTS_MAX;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return true;
    while (client < end && client->watch.fd >= 0)
        client++;
    if (client == end) {
        close(fd);
        return true;
    }
    *client = (struct kl_devnet_client){.devnet = d};
    client->watch = (struct kl_watch){.ready = on_client, .owner = client, .fd = fd};
    if (kl_loop_add(d->loop, &client->watch, KL_READY_READ, false) != KL_OK) {
        close(fd);
        client->watch.fd = -1;
    }
    return true;
}

/* --- the desk itself --- */

static int dial(const char *dir)
{
    struct sockaddr_un address;
    int folder, fd = -1;
    if (address_of(&address, dir, &folder)) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
            close(fd);
            fd = -1;
        }
        close(folder);
    }
    return fd;
}

kl_status kl_devnet_desk_open(struct kl_devnet *d)
{
    struct sockaddr_un address;
    int folder, other = dial(d->options.dir);
    d->desk = (struct kl_watch){.ready = on_desk, .owner = d, .fd = -1};
    for (usize i = 0; i < KL_DEVNET_CLIENTS_MAX; i++)
        d->clients[i].watch.fd = -1;
    if (other >= 0) {
        close(other);
        return KL_BUSY;
    }
    if (!address_of(&address, d->options.dir, &folder))
        return kl_sys_status(errno);
    (void)unlinkat(folder, SOCKET_NAME, 0);
    mode_t mask = umask(0177);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    kl_status status = KL_OK;
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, KL_DEVNET_CLIENTS_MAX) != 0)
        status = kl_sys_status(errno);
    (void)umask(mask);
    close(folder);
    d->desk.fd = fd;
    if (status == KL_OK)
        status = kl_loop_add(d->loop, &d->desk, KL_READY_READ, false);
    if (status != KL_OK && fd >= 0) {
        close(fd);
        d->desk.fd = -1;
    }
    return status;
}

void kl_devnet_desk_close(struct kl_devnet *d)
{
    struct sockaddr_un address;
    int folder;
    for (usize i = 0; i < KL_DEVNET_CLIENTS_MAX; i++)
        close_client(&d->clients[i]);
    kl_loop_remove(d->loop, &d->desk);
    close(d->desk.fd);
    if (!address_of(&address, d->options.dir, &folder))
        return;
    (void)unlinkat(folder, SOCKET_NAME, 0);
    close(folder);
}

/* --- the other terminal --- */

static bool send_words(int fd, const char *words)
{
    char line[256];
    int len = snprintf(line, sizeof line, "%s\n", words);
    return len > 0 && len < (int)sizeof line && write(fd, line, (usize)len) == len;
}

int kl_devnet_order(const char *dir, const char *words)
{
    static char text[1 << 16];
    usize len = 0;
    ssize_t got;
    int fd = dial(dir);
    if (fd < 0) {
        fprintf(stderr, "keel devnet: no network is running in %s\n", dir);
        return KL_EXIT_FAILED;
    }
    bool sent = send_words(fd, words);
    while (sent && len + 1 < sizeof text && (got = read(fd, text + len, sizeof text - 1 - len)) > 0)
        len += (usize)got;
    close(fd);
    text[len] = '\0';
    if (len && text[0] == DONE) {
        printf("%s", text + 1);
        return KL_EXIT_OK;
    }
    fprintf(stderr, "keel devnet: %s\n", len ? text + 1 : "the network gave no answer");
    return KL_EXIT_FAILED;
}
