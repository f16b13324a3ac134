import cacheF16 from "../../shaders/parts/cache_f16.wgsl";
import cacheF32 from "../../shaders/parts/cache_f32.wgsl";

/** The part that says how keys and values are stored: format 0 is f32, 1 is f16. */
export const cachePart = (format = 0): string => (format ? cacheF16 : cacheF32);
