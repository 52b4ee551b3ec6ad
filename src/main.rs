//! The `synlocal` program: see the library's front page and `synlocal --help`.

fn main() -> std::process::ExitCode {
    synlocal::cli::run()
}
