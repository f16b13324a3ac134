/** Numbers that mean the same in several kernels, as in shaders/parts/constants.wgsl. */

/** No token, no candidate, no sentence. */
export const NO_ID = 0xffffffff;
/** The score of a missing candidate, below all others. */
export const ABSENT = -3.4e38;
/**
 * The score of a masked key or a banned token; finite, because shader compilers may assume that there are no
 * infinities.
 */
export const LOWEST = -3e38;
/** No score of an allowed token is as low: at or below it are banned tokens and beams that no token continued. */
export const BANNED = -1e38;
/** The largest finite f32. */
export const LARGEST = 3.4028234663852886e38;
