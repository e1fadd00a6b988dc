#include "sys/tcp.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/test.h"

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK(poll(&p, 1, 10000) == 1);
}

KL_TEST(tcp_listens_connects_and_carries_bytes)
{
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    for (usize i = 0; i < KL_COUNT_OF(hosts); i++) {
        int listener, client, server, none;
        kl_status status = kl_tcp_listen(&listener, hosts[i], 0);
        if (status == KL_NOTFOUND && i == 1)
            kl_test_skip("this machine has no IPv6");
        CHECK_OK(status);
        CHECK(kl_tcp_accept(&none, listener) == KL_AGAIN);
        u16 port = kl_tcp_port(listener);
        CHECK(port != 0);
        CHECK(kl_tcp_listen(&none, hosts[i], port) == KL_BUSY);
        CHECK_OK(kl_tcp_connect(&client, hosts[i], port));
        wait_readable(listener);
        CHECK_OK(kl_tcp_accept(&server, listener));
        char text[KL_TCP_TEXT_MAX], want[KL_TCP_TEXT_MAX];
        snprintf(want, sizeof want, i ? "[::1]:%u" : "127.0.0.1:%u", port);
        kl_tcp_peer(client, text);
        CHECK(strcmp(text, want) == 0);
        kl_tcp_address at, none_at;
        CHECK(kl_tcp_peer_address(client, &at) && !kl_tcp_peer_address(listener, &none_at));
        CHECK(at.six == (i == 1) && at.port == port && at.ip[i ? 15 : 3] == 1);
        int again;
        CHECK_OK(kl_tcp_dial_address(&again, &at));
        kl_tcp_close(again);
        kl_tcp_peer(listener, text);
        CHECK(strcmp(text, "?") == 0);

        u8 bytes[16];
        usize n = 99;
        CHECK(kl_tcp_read(server, bytes, sizeof bytes, &n) == KL_AGAIN);
        CHECK_U64(n, 99);
        CHECK_OK(kl_tcp_write(client, KL_SPAN_TEXT("hello"), &n));
        CHECK_U64(n, 5);
        wait_readable(server);
        CHECK_OK(kl_tcp_read(server, bytes, sizeof bytes, &n));
        CHECK_SPAN(kl_span_of(bytes, n), KL_SPAN_TEXT("hello"));

        kl_tcp_finish(client);
        wait_readable(server);
        CHECK_OK(kl_tcp_read(server, bytes, sizeof bytes, &n));
        CHECK_U64(n, 0);
        kl_tcp_close(client);
        /* the answer of the closed side arrives some time; after it a write is a status */
        for (;;) {
            kl_status written = kl_tcp_write(server, KL_SPAN_TEXT("x"), &n);
            if (written == KL_IO)
                break;
            CHECK_OK(written);
        }
        kl_tcp_close(server);
        kl_tcp_close(listener);
        CHECK(kl_tcp_connect(&client, hosts[i], port) == KL_NOTFOUND);
    }
    kl_tcp_close(-1);
}

KL_TEST(tcp_fills_up)
{
    static u8 block[1 << 16];
    int listener, client, server;
    CHECK_OK(kl_tcp_listen(&listener, "127.0.0.1", 0));
    CHECK_OK(kl_tcp_connect(&client, "127.0.0.1", kl_tcp_port(listener)));
    wait_readable(listener);
    CHECK_OK(kl_tcp_accept(&server, listener));
    kl_status status;
    usize n;
    do
        status = kl_tcp_write(server, KL_SPAN_OF(block), &n);
    while (status == KL_OK);
    CHECK(status == KL_AGAIN);
    kl_tcp_close(client);
    kl_tcp_close(server);
    kl_tcp_close(listener);
}

KL_TEST(tcp_refuses_what_is_no_address)
{
    int fd = -7;
    CHECK(kl_tcp_listen(&fd, "localhost", 0) == KL_NOTFOUND);
    CHECK(kl_tcp_listen(&fd, "", 0) == KL_NOTFOUND);
    CHECK(kl_tcp_listen(&fd, "192.0.2.1", 0) == KL_NOTFOUND);
    CHECK(kl_tcp_connect(&fd, "256.0.0.1", 80) == KL_NOTFOUND);
    CHECK(fd == -7);
    CHECK(kl_tcp_room() >= 64);
}
