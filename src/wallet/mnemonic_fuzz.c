/* Mnemonics: as words from outside, judged beside a slow twin; and as the words that spell given
 * entropy, which must be good, and bad with another bit of the checksum. */
#include "base/fuzz.h"
#include "crypto/digest.h"
#include "wallet/mnemonic.h"

enum { WORDS_MAX = 24, TEXT_MAX = WORDS_MAX * 9 };

static const char *const english[] = {
#include "wallet/bip39_english.def"
};

static unsigned bit_of(const u8 *bits, usize at)
{
    return bits[at / 8] >> (7 - at % 8) & 1;
}

/* The words of entropy and its checksum, the latter's last bit flipped if wanted. */
static kl_span spell(char text[TEXT_MAX], const u8 *entropy, usize len, bool flip)
{
    u8 bits[33];
    usize at = 0, words = len * 3 / 4;
    memcpy(bits, entropy, len);
    u8 digest[32];
    kl_sha256(digest, kl_span_of(entropy, len));
    bits[len] = digest[0] ^ (u8)(flip ? 0x100 >> len / 4 : 0);
    for (usize w = 0; w < words; w++) {
        unsigned index = 0;
        for (usize i = 0; i < 11; i++)
            index = index << 1 | bit_of(bits, w * 11 + i);
        usize n = strlen(english[index]);
        memcpy(text + at, english[index], n);
        text[at + n] = ' ';
        at += n + 1;
    }
    return kl_span_of(text, at - 1);
}

static void spelled(kl_span in)
{
    char text[TEXT_MAX];
    usize len = 16 + in.len % 5 * 4;
    u8 entropy[32] = {0};
    if (in.len)
        memcpy(entropy, in.p, KL_MIN(in.len, len));
    KL_ASSERT(kl_mnemonic_valid(spell(text, entropy, len, false)));
    KL_ASSERT(!kl_mnemonic_valid(spell(text, entropy, len, true)));
}

/* The index of the word at the text's start, by looking at all of them; -1 for none. */
static int find_word(kl_span text, usize *len)
{
    const u8 *blank = text.len ? memchr(text.p, ' ', text.len) : NULL;
    *len = blank ? (usize)(blank - text.p) : text.len;
    for (usize i = 0; i < KL_COUNT_OF(english); i++)
        if (kl_span_eq(kl_span_sub(text, 0, *len), kl_span_str(english[i])))
            return (int)i;
    return -1;
}

static bool twin_valid(kl_span text)
{
    char again[TEXT_MAX];
    u8 bits[33 + 2] = {0};
    usize words = 0;
    for (kl_span rest = text;; words++) {
        usize len;
        int index = find_word(rest, &len);
        if (index < 0 || words == WORDS_MAX)
            return false;
        for (usize i = 0; i < 11; i++)
            if (index >> (10 - i) & 1)
                bits[(words * 11 + i) / 8] |= (u8)(0x80 >> (words * 11 + i) % 8);
        if (len == rest.len)
            break;
        rest = kl_span_of(rest.p + len + 1, rest.len - len - 1);
    }
    words++;
    return words >= 12 && words % 3 == 0 &&
           kl_span_eq(spell(again, bits, words * 4 / 3, false), text);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span in = kl_span_of(bytes, len);
    KL_ASSERT(kl_mnemonic_valid(in) == twin_valid(in));
    spelled(in);
    return 0;
}
