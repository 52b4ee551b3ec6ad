//! The `synlocal` program.

fn main() {}
