/* Nodes as processes: children of this one, which end with it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/devnet.h"
#include "node/roster.h"
#include "sys/fs.h"

enum { PEER_OFFSET = 1000 }; /* node i's peers find it at base port + 1000 + i */

u16 kl_devnet_peer_port(const struct kl_devnet *d, u32 i)
{
    return (u16)(d->options.base_port + PEER_OFFSET + i);
}

static void run_child(const struct kl_devnet *d, u32 i, int out)
{
    char dir[KL_DEVNET_PATH_MAX], port[16];
    snprintf(dir, sizeof dir, "%s/node-%u", d->options.dir, i);
    snprintf(port, sizeof port, "%llu", (unsigned long long)(d->options.base_port + i));
    char *const words[] = {(char[]){"keel"},   (char[]){"node"},
                           (char[]){"--dir"},  dir,
                           (char[]){"--port"}, port,
                           (char[]){"--json"}, NULL};
    if (dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(127);
    execv(d->self, words);
    _exit(127);
}

/* Whole lines; what is longer than a line's room is broken. */
static bool on_words(struct kl_watch *watch, KL_UNUSED unsigned what)
{
    struct kl_devnet_child *child = watch->owner;
    char bytes[4096];
    ssize_t got = read(watch->fd, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    for (ssize_t k = 0; k < got; k++) {
        if (bytes[k] != '\n' && child->len + 1 < sizeof child->line) {
            child->line[child->len++] = bytes[k];
            continue;
        }
        child->line[child->len] = '\0';
        if (child->len)
            kl_devnet_words(child->devnet, child->index, child->line);
        child->len = 0;
    }
    if (got <= 0) {
        kl_loop_remove(child->devnet->loop, watch);
        close(watch->fd);
        watch->fd = -1;
    }
    return true;
}

/* Where the others are: by the proxies, or directly. */
static bool write_roster(struct kl_devnet *d, u32 i)
{
    char dir[KL_DEVNET_PATH_MAX];
    kl_roster *roster = calloc(1, sizeof *roster);
    struct kl_fs *fs = NULL;
    kl_rule broken = KL_RULE_NONE;
    snprintf(dir, sizeof dir, "%s/node-%u", d->options.dir, i);
    kl_status status = roster ? kl_sys_fs_open(&fs, dir) : KL_NOMEM;
    if (status == KL_OK)
        status = kl_roster_load(fs, roster, &broken);
    if (status == KL_OK && broken == KL_RULE_NONE && roster->peer_count == d->count) {
        (void)kl_peer_id_text(d->children[i].peer_id, &roster->peers[i].peer);
        roster->listen.port = kl_devnet_peer_port(d, i);
        roster->says_where = false; /* or others would find ways around the proxies */
        for (u32 k = 0; k < d->count; k++)
            roster->peers[k].port = d->proxy && k != i ? kl_devnet_proxy_port(d->proxy, i, k)
                                                       : kl_devnet_peer_port(d, k);
        status = kl_fs_unlink(fs, "network.json");
        if (status == KL_OK)
            status = kl_roster_save(fs, roster);
    }
    if (fs)
        kl_sys_fs_close(fs);
    free(roster);
    return status == KL_OK || (status == KL_NOTFOUND && d->count == 1);
}

bool kl_devnet_child_start(struct kl_devnet *d, u32 i)
{
    struct kl_devnet_child *child = &d->children[i];
    int ends[2];
    pid_t parent = getpid();
    KL_ASSERT(!child->pid);
    if (child->out.fd >= 0) /* a process of its own may have kept the end before open */
        on_words(&child->out, 0);
    if (child->out.fd >= 0 || !write_roster(d, i) || pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        /* Ctrl-C is for the parent, which ends its children in good order. */
        (void)setpgid(0, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(127);
        run_child(d, i, ends[1]);
    }
    close(ends[1]);
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    child->out = (struct kl_watch){.ready = on_words, .owner = child, .fd = ends[0]};
    if (pid < 0 || kl_loop_add(d->loop, &child->out, KL_READY_READ, false) != KL_OK) {
        close(ends[0]);
        child->out.fd = -1;
        if (pid > 0) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, NULL, 0);
        }
        return false;
    }
    child->pid = pid;
    child->stopped = child->wanted = false;
    child->len = 0;
    return true;
}

void kl_devnet_child_signal(struct kl_devnet *d, u32 i, int number)
{
    struct kl_devnet_child *child = &d->children[i];
    if (!child->pid || kill(child->pid, number) != 0)
        return;
    if (number == SIGSTOP || number == SIGCONT)
        child->stopped = number == SIGSTOP;
    d->stale = true;
}

void kl_devnet_child_restart(struct kl_devnet *d, u32 i)
{
    d->children[i].wanted = true;
    kl_devnet_child_signal(d, i, SIGCONT);
    kl_devnet_child_signal(d, i, SIGTERM);
}

static void notice(struct kl_devnet *d, u32 i)
{
    struct kl_devnet_child *child = &d->children[i];
    int status;
    if (!child->pid || waitpid(child->pid, &status, WNOHANG) != child->pid)
        return;
    for (errno = 0; child->out.fd >= 0 && errno != EAGAIN;) /* its last words */
        (void)on_words(&child->out, 0);
    child->pid = 0;
    child->stopped = false;
    d->askers[i].row.answers = false;
    d->stale = true;
    if (WIFSIGNALED(status))
        kl_devnet_say(d, i, WTERMSIG(status) == SIGKILL ? "(killed)" : "(ended by signal %d)",
                      WTERMSIG(status));
    else if (WEXITSTATUS(status) == 0)
        kl_devnet_say(d, i, "(ended)");
    else
        kl_devnet_say(d, i, "(ended with exit code %d)", WEXITSTATUS(status));
}

void kl_devnet_children_reap(struct kl_devnet *d)
{
    for (u32 i = 0; i < d->count; i++) {
        struct kl_devnet_child *child = &d->children[i];
        notice(d, i);
        if (child->pid || !child->wanted || d->stopping)
            continue;
        child->wanted = false;
        if (!kl_devnet_child_start(d, i))
            kl_devnet_say(d, i, "(cannot be started)");
    }
}

u32 kl_devnet_children_alive(const struct kl_devnet *d)
{
    u32 alive = 0;
    for (u32 i = 0; i < d->count; i++)
        alive += d->children[i].pid != 0;
    return alive;
}
