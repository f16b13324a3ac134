// matmul: a linear layer for many rows, through the units of a GPU that multiply matrices of f32.
// Parts    matmul_matrix, matrix_terms, matmul, activation, formats, scale, fours, chunk4|chunk1, load4|load1
diagnostic(off, chromium.subgroup_matrix_uniformity); // what a subgroup does depends on its number only
enable subgroups;
enable chromium_experimental_subgroup_matrix;

alias Element = f32;
const HALF = false;
