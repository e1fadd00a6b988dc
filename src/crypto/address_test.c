#include "crypto/address.h"

#include "base/test.h"
#include "crypto/keccak.h"

static kl_address address_hex(const char *hex)
{
    kl_address address;
    kl_span bytes = kl_test_hex(hex);
    CHECK_U64(bytes.len, 20);
    memcpy(address.b, bytes.p, 20);
    return address;
}

static kl_hash hash_hex(const char *hex)
{
    kl_hash hash;
    kl_span bytes = kl_test_hex(hex);
    CHECK_U64(bytes.len, 32);
    memcpy(hash.b, bytes.p, 32);
    return hash;
}

/* The first account of the test mnemonic every development chain uses. */
KL_TEST(address_of_a_known_key)
{
    KL_SECRET key;
    kl_pubkey pubkey;
    memcpy(key.b, kl_test_hex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").p,
           32);
    CHECK(kl_secp256k1_pubkey(&pubkey, &key));
    kl_address got = kl_address_of_pubkey(&pubkey);
    CHECK_HEX(kl_address_span(&got), "f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
}

KL_TEST(address_of_create_known_answers)
{
    static const char *const want[] = {
        "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d", "343c43a37d37dff08ae8c4a11544c718abb4fcf8",
        "f778b86fa74e846c4f0a1fbd1335fe81c00a0c91", "fffd933a0bc612844eaf0c6fe3e5b8e9b6c1d19c"};
    kl_address sender = address_hex("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0");
    for (usize nonce = 0; nonce < KL_COUNT_OF(want); nonce++) {
        kl_address got = kl_address_of_create(&sender, nonce);
        CHECK_HEX(kl_address_span(&got), want[nonce]);
    }
}

/* Against RLP put together byte by byte, with nonces of every length and at every edge. */
KL_TEST(address_of_create_matches_plain_rlp)
{
    for (unsigned bits = 0; bits <= 64; bits++) {
        for (int delta = -1; delta <= 1; delta++) {
            u64 nonce = (bits == 64 ? 0 : (u64)1 << bits) + (u64)(i64)delta;
            kl_address sender;
            kl_rand_fill(seed, sender.b, sizeof sender.b);
            u8 text[64], item[16];
            usize item_len = 0;
            for (int shift = 56; shift >= 0; shift -= 8)
                if (nonce >> shift)
                    item[item_len++] = (u8)(nonce >> shift);
            kl_out out = kl_out_of(text, sizeof text);
            bool plain = item_len == 1 && item[0] < 0x80;
            kl_out_u8(&out, (u8)(0xc0 + 21 + item_len + !plain));
            kl_out_u8(&out, 0x94);
            kl_out_bytes(&out, sender.b, 20);
            if (!plain)
                kl_out_u8(&out, (u8)(0x80 + item_len));
            kl_out_bytes(&out, item, item_len);
            kl_hash hash = kl_keccak256(kl_out_done(&out));
            kl_address got = kl_address_of_create(&sender, nonce);
            CHECK_SPAN(kl_address_span(&got), kl_span_of(hash.b + 12, 20));
        }
    }
}

/* [EIP-1014, examples] */
KL_TEST(address_of_create2_known_answers)
{
    static const struct {
        const char *sender, *salt, *init_code, *want;
    } row[] = {
        {"0000000000000000000000000000000000000000",
         "0000000000000000000000000000000000000000000000000000000000000000", "00",
         "4d1a2e2bb4f88f0250f26ffff098b0b30b26bf38"},
        {"deadbeef00000000000000000000000000000000",
         "0000000000000000000000000000000000000000000000000000000000000000", "00",
         "b928f69bb1d91cd65274e3c79d8986362984fda3"},
        {"deadbeef00000000000000000000000000000000",
         "000000000000000000000000feed000000000000000000000000000000000000", "00",
         "d04116cdd17bebe565eb2422f2497e06cc1c9833"},
        {"0000000000000000000000000000000000000000",
         "0000000000000000000000000000000000000000000000000000000000000000", "deadbeef",
         "70f2b2914a2a4b783faefb75f459a580616fcb5e"},
        {"00000000000000000000000000000000deadbeef",
         "00000000000000000000000000000000000000000000000000000000cafebabe", "deadbeef",
         "60f3f640a8508fc6a86d45df051962668e1e8ac7"},
        {"0000000000000000000000000000000000000000",
         "0000000000000000000000000000000000000000000000000000000000000000", "",
         "e33c0c7f7df4809055c3eba6c09cfe4baf1bd9e0"},
    };
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        kl_address sender = address_hex(row[i].sender);
        kl_hash salt = hash_hex(row[i].salt), code = kl_keccak256(kl_test_hex(row[i].init_code));
        kl_address got = kl_address_of_create2(&sender, &salt, &code);
        CHECK_HEX(kl_address_span(&got), row[i].want);
    }
}

/* [EIP-55, test cases] */
KL_TEST(address_text_known_answers)
{
    static const char *const row[] = {
        "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"};
    for (usize i = 0; i < KL_COUNT_OF(row); i++) {
        kl_address address = address_hex(row[i]);
        char text[43];
        kl_address_text(text, &address);
        CHECK(strcmp(text, row[i]) == 0);
    }
}
