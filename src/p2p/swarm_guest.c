/* Guests: of a guest a hello is heard, and nothing else.  It has no place, and nobody is told of
 * it; its time is that of a handshake.  What it asks meanwhile, as everybody does, who we are, is
 * answered when it is let in. */
#include "p2p/swarm_priv.h"

static void refuse(struct swarm_link *link)
{
    swarm_refuse(link, KL_RULE_SWARM_STRANGER);
}

static void let_in(struct swarm_link *link, kl_swarm_standing standing)
{
    struct kl_swarm *s = link->swarm;
    u32 place = swarm_find(s, &link->id);
    if (place == SWARM_NOBODY)
        place = swarm_place_for(s, &link->id);
    if (place == SWARM_NOBODY) {
        swarm_refuse(link, KL_RULE_SWARM_FULL);
        return;
    }
    s->peers[place].standing = KL_MAX(s->peers[place].standing, standing);
    swarm_take_place(link);
    swarm_meet(link);
    if (link->asks && !link->over)
        swarm_tell_of_us(link, link->asks);
    link->asks = 0;
}

static void introduce(struct swarm_link *link, kl_span hello)
{
    struct kl_swarm *s = link->swarm;
    kl_swarm_standing standing = s->user->introduced(s->user, &link->id, hello);
    if (standing == KL_SWARM_STRANGER) {
        refuse(link);
        return;
    }
    let_in(link, standing);
    if (!link->over)
        swarm_hear_hello(link, hello);
}

static void on_stream(struct swarm_link *link, const kl_conn_event *e)
{
    if (e->protocol == SWARM_P_HELLO && !link->hello_in.stream)
        link->hello_in.stream = e->stream;
    else if (e->protocol == SWARM_P_IDENTIFY && !link->asks)
        link->asks = e->stream;
    else
        refuse(link);
}

static void on_data(struct swarm_link *link, const kl_conn_event *e)
{
    kl_span data = e->data, frame;
    kl_conn_took(link->conn, e->stream, data.len);
    if (e->stream != link->hello_in.stream) {
        kl_conn_reset(link->conn, e->stream);
        return;
    }
    while (data.len && !link->over) {
        if (link->state != SWARM_GUEST)
            swarm_fail(link, KL_RULE_SWARM_HELLO_TWICE);
        else if (swarm_take_frame(link, &link->hello_in.frame, &data, &frame))
            introduce(link, frame);
    }
}

static void on_gone(struct swarm_link *link, const kl_conn_event *e)
{
    if (link->hello_in.stream == e->stream)
        refuse(link);
    if (link->asks == e->stream && e->kind != KL_CONN_ENDED)
        link->asks = 0;
}

void swarm_on_guest(struct swarm_link *link, const kl_conn_event *e)
{
    switch (e->kind) {
    case KL_CONN_STREAM:
        on_stream(link, e);
        break;
    case KL_CONN_DATA:
        on_data(link, e);
        break;
    case KL_CONN_NO_STREAM:
    case KL_CONN_ENDED:
    case KL_CONN_RESET:
        on_gone(link, e);
        break;
    case KL_CONN_OPEN:
    case KL_CONN_PONG:
    case KL_CONN_GOAWAY:
        refuse(link);
        break;
    }
}
