// matmul: a linear layer for many rows, through the units of a GPU that multiply matrices of f16, two terms a number.
// Parts    matmul_matrix, matrix_terms, matmul, activation, formats, scale, fours, chunk4|chunk1, load4|load1
diagnostic(off, chromium.subgroup_matrix_uniformity); // what a subgroup does depends on its number only
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;

alias Element = f16;
const HALF = true;
