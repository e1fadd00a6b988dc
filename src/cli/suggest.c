/* suggest: the nearest name by edit distance (insert, delete, replace, swap neighbours), so that a
 * slip of the finger is answered with what was meant. */
#include "cli/command.h"

#define NAME_MAX_LEN 40

/* Optimal string alignment over three rows. */
static usize distance(const char *a, usize a_len, const char *b, usize b_len)
{
    usize rows[3][NAME_MAX_LEN + 1];
    usize *before = rows[0], *last = rows[1], *row = rows[2];
    for (usize k = 0; k <= b_len; k++)
        last[k] = k;
    memset(before, 0, sizeof rows[0]);
    for (usize i = 1; i <= a_len; i++) {
        row[0] = i;
        for (usize k = 1; k <= b_len; k++) {
            usize best = last[k - 1] + (a[i - 1] != b[k - 1]);
            best = KL_MIN(best, last[k] + 1);
            best = KL_MIN(best, row[k - 1] + 1);
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                best = KL_MIN(best, before[k - 2] + 1);
            row[k] = best;
        }
        usize *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b_len];
}

const char *kl_suggest(const char *typed, const char *const *names, usize count)
{
    const char *best = NULL;
    usize len = strlen(typed), limit = KL_MAX(len / 3, (usize)1) + 1;
    for (usize i = 0; i < count && len <= NAME_MAX_LEN; i++) {
        usize name_len = strlen(names[i]);
        if (name_len > NAME_MAX_LEN)
            continue;
        usize d = distance(typed, len, names[i], name_len);
        if (d < limit) {
            limit = d;
            best = names[i];
        }
    }
    return best;
}
