/* All of them are the last 20 bytes of a Keccak-256. */
#include "crypto/address.h"

#include "crypto/keccak.h"

static kl_address last_20_of_keccak(kl_span bytes)
{
    kl_hash hash = kl_keccak256(bytes);
    kl_address address;
    memcpy(address.b, hash.b + 12, sizeof address.b);
    return address;
}

kl_address kl_address_of_pubkey(const kl_pubkey *key)
{
    return last_20_of_keccak(kl_span_of(key->b, sizeof key->b));
}

/* RLP of [20 bytes, integer]: list header, 0x94, the address, then the nonce without leading zeros:
 * one byte below 0x80 (0 is 0x80, the empty string), else 0x80 + length and the bytes. */
kl_address kl_address_of_create(const kl_address *sender, u64 nonce)
{
    u8 bytes[1 + 21 + 9], be[8];
    usize nonce_len = nonce ? 8 - (usize)__builtin_clzll(nonce) / 8 : 0;
    usize len = 22;
    memcpy(bytes + 2, sender->b, sizeof sender->b);
    if (nonce == 0 || nonce >= 0x80)
        bytes[len++] = (u8)(0x80 + nonce_len);
    kl_store_be64(be, nonce);
    memcpy(bytes + len, be + 8 - nonce_len, nonce_len);
    len += nonce_len;
    bytes[0] = (u8)(0xc0 + len - 1);
    bytes[1] = 0x80 + 20;
    return last_20_of_keccak(kl_span_of(bytes, len));
}

kl_address kl_address_of_create2(const kl_address *sender, const kl_hash *salt,
                                 const kl_hash *init_code_hash)
{
    u8 bytes[1 + 20 + 32 + 32] = {0xff};
    memcpy(bytes + 1, sender->b, 20);
    memcpy(bytes + 21, salt->b, 32);
    memcpy(bytes + 53, init_code_hash->b, 32);
    return last_20_of_keccak(KL_SPAN_OF(bytes));
}

void kl_address_text(char out[43], const kl_address *address)
{
    char *hex = out + 2;
    out[0] = '0';
    out[1] = 'x';
    for (unsigned i = 0; i < 40; i++)
        hex[i] = "0123456789abcdef"[address->b[i / 2] >> (i % 2 ? 0 : 4) & 0xf];
    out[42] = '\0';
    kl_hash hash = kl_keccak256(kl_span_of(hex, 40));
    for (unsigned i = 0; i < 40; i++) {
        bool capital = (hash.b[i / 2] >> (i % 2 ? 0 : 4) & 0xf) >= 8;
        if (capital && hex[i] >= 'a')
            hex[i] = (char)(hex[i] - 'a' + 'A');
    }
}
