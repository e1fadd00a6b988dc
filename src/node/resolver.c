/* The threads share what they need with the resolver, and whoever leaves last frees it. */
#include "node/resolver.h"

#include <stdlib.h>

#include "base/sync.h"
#include "sys/thread.h"

struct question {
    struct question *next;
    kl_names_family family;
    char name[KL_MULTIADDR_NAME_MAX + 1];
    kl_resolved answer;
};

struct list {
    struct question *first, **last;
    u32 count;
};

struct kl_resolver {
    kl_refs refs; /* the owner's, and each thread's */
    struct kl_names *names;
    kl_mutex lock; /* of all that follows */
    void (*ended)(void *ctx);
    void *ctx;
    struct list asked, answered;
    u32 threads;
    bool over;
};

static void push(struct list *list, struct question *q)
{
    q->next = NULL;
    *list->last = q;
    list->last = &q->next;
    list->count++;
}

static struct question *pop(struct list *list)
{
    struct question *q = list->first;
    if (!q)
        return NULL;
    list->first = q->next;
    if (!list->first)
        list->last = &list->first;
    list->count--;
    return q;
}

static void unref(struct kl_resolver *r)
{
    if (!kl_refs_drop(&r->refs))
        return;
    for (struct question *q; (q = pop(&r->asked)) != NULL;)
        free(q);
    for (struct question *q; (q = pop(&r->answered)) != NULL;)
        free(q);
    kl_mutex_done(&r->lock);
    free(r);
}

static void look_up(struct kl_resolver *r, struct question *q)
{
    q->answer.count =
        r->names->find(r->names, q->name, q->family, q->answer.at, KL_RESOLVER_ADDRS_MAX);
}

static void *resolver_main(void *ctx)
{
    struct kl_resolver *r = ctx;
    kl_lock(&r->lock);
    for (struct question *q; !r->over && (q = pop(&r->asked)) != NULL;) {
        kl_unlock(&r->lock);
        look_up(r, q);
        kl_lock(&r->lock);
        push(&r->answered, q);
        if (!r->over)
            r->ended(r->ctx);
    }
    r->threads--;
    kl_unlock(&r->lock);
    unref(r);
    return NULL;
}

kl_status kl_resolver_new(struct kl_resolver **out, struct kl_names *names,
                          void (*ended)(void *ctx), void *ctx)
{
    struct kl_resolver *r = calloc(1, sizeof *r);
    if (!r)
        return KL_NOMEM;
    kl_refs_init(&r->refs);
    kl_mutex_init(&r->lock);
    r->names = names;
    r->ended = ended;
    r->ctx = ctx;
    r->asked.last = &r->asked.first;
    r->answered.last = &r->answered.first;
    *out = r;
    return KL_OK;
}

void kl_resolver_free(struct kl_resolver *r)
{
    if (!r)
        return;
    kl_lock(&r->lock);
    r->over = true;
    kl_unlock(&r->lock);
    unref(r);
}

/* One more thread, if there may be; the lock is held.  False: there is none at all. */
static bool begin_thread(struct kl_resolver *r)
{
    kl_thread thread;
    if (r->threads == KL_RESOLVER_THREADS)
        return true;
    kl_refs_add(&r->refs);
    if (kl_thread_start(&thread, "keel names", resolver_main, r) != KL_OK) {
        KL_ASSERT(!kl_refs_drop(&r->refs));
        return r->threads > 0;
    }
    kl_thread_detach(thread);
    r->threads++;
    return true;
}

static struct question *question_new(u64 tag, const kl_multiaddr *addr)
{
    struct question *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    memcpy(q->name, addr->name, sizeof q->name);
    q->family = addr->host == KL_HOST_DNS4   ? KL_NAMES_FOUR
                : addr->host == KL_HOST_DNS6 ? KL_NAMES_SIX
                                             : KL_NAMES_ANY;
    q->answer.tag = tag;
    return q;
}

bool kl_resolver_ask(struct kl_resolver *r, u64 tag, const kl_multiaddr *addr)
{
    KL_ASSERT(addr->host >= KL_HOST_DNS);
    struct question *q = question_new(tag, addr);
    if (!q)
        return false;
    kl_lock(&r->lock);
    bool room = r->asked.count < KL_RESOLVER_WAITING_MAX && begin_thread(r);
    if (room)
        push(&r->asked, q);
    kl_unlock(&r->lock);
    if (!room)
        free(q);
    return room;
}

bool kl_resolver_take(struct kl_resolver *r, kl_resolved *out)
{
    kl_lock(&r->lock);
    struct question *q = pop(&r->answered);
    kl_unlock(&r->lock);
    if (!q)
        return false;
    *out = q->answer;
    free(q);
    return true;
}
