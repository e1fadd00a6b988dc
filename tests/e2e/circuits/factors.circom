pragma circom 2.0.0;

// bits of a number, and so that it has no more
template Bits(n) {
    signal input in;
    signal output out[n];
    var sum = 0;
    for (var i = 0; i < n; i++) {
        out[i] <-- (in >> i) & 1;
        out[i] * (out[i] - 1) === 0;
        sum += out[i] * (1 << i);
    }
    sum === in;
}

// a chain of x -> (x + key + round)^5
template Mix(rounds) {
    signal input in;
    signal input key;
    signal output out;
    signal x[rounds + 1];
    signal square[rounds];
    signal fourth[rounds];
    x[0] <== in;
    for (var i = 0; i < rounds; i++) {
        square[i] <== (x[i] + key + i) * (x[i] + key + i);
        fourth[i] <== square[i] * square[i];
        x[i + 1] <== fourth[i] * (x[i] + key + i);
    }
    out <== x[rounds] + key;
}

// "I know two factors of product, none of them 1, and tag is made of the first and my name."
template Factors() {
    signal input product;
    signal input name;
    signal input p;
    signal input q;
    signal output tag;

    component pBits = Bits(64);
    component qBits = Bits(64);
    pBits.in <== p - 2;
    qBits.in <== q - 2;
    product === p * q;

    component mix = Mix(20);
    mix.in <== p;
    mix.key <== name;
    tag <== mix.out;
}

component main {public [product, name]} = Factors();
