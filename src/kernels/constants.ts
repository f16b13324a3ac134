/** Numbers that several kernels mean the same by, as shaders/parts/constants.wgsl has them. */

/** No token, no candidate, no sentence. */
export const NO_ID = 0xffffffff;
/** The score of a candidate that is not there: below every other. */
export const ABSENT = -3.4e38;
/** The score of a masked key or a banned token: finite, because shader compilers may assume that no infinity exists. */
export const LOWEST = -3e38;
/** The largest number of f32: what lies beyond it is no logit. */
export const LARGEST = 3.4028234663852886e38;
