// Numbers that mean the same in several kernels; src/kernels/constants.ts has them for the host.
const NO_ID = 0xffffffffu;  // no token, no candidate, no sentence
const ABSENT = -3.4e38;     // the score of a missing candidate, below all others
const LOWEST = -3.0e38;     // of a masked key or a banned token; finite, as compilers may assume no infinities
const BANNED = -1.0e38;     // no score of an allowed token is as low: at or below it are banned tokens and dead beams
