// Numbers that several kernels mean the same by; src/kernels/constants.ts has them for the host.
const NO_ID = 0xffffffffu;  // no token, no candidate, no sentence
const ABSENT = -3.4e38;     // the score of a candidate that is not there: below every other
const LOWEST = -3.0e38;     // the score of a masked key or a banned token: compilers may assume that no infinity exists
