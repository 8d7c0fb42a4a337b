//! Programs that measure `notafter` beside others, one for each group of figures in `BENCHMARKS.md`. `bench/run`
//! builds what they need and starts them.
//!
//! What is measured and what measures are different processes wherever time, memory or allocations of a process are
//! the figure: `serve`, `ready`, `cloud`, `api` and `bare` are started by the others.

mod absorb;
mod allocations;
mod api;
mod bare;
mod child;
mod cloud;
mod daemon;
mod fleet;
mod poll;
mod ready;
mod scrape;
mod serve;
mod slow;
mod start;
mod store;
mod table;
mod x509;
mod year;

/// Counts what `serve` allocates; an addition for each allocation, which no figure notices.
#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["scrape", ref rest @ ..] => scrape::main(rest),
        ["poll", ref rest @ ..] => poll::main(rest),
        ["year", ref rest @ ..] => year::main(rest),
        ["x509", ref rest @ ..] => x509::main(rest),
        ["start", ref rest @ ..] => start::main(rest),
        ["store", ref rest @ ..] => store::main(rest),
        ["absorb", ref rest @ ..] => absorb::main(rest),
        ["slow", ref rest @ ..] => slow::main(rest),
        ["serve", resources] => serve::main(number(resources), None),
        ["serve", resources, cert, key] => serve::main(number(resources), Some((cert, key))),
        ["ready", plain, gzip] => ready::main(plain, gzip),
        ["cloud", resources] => cloud::main(number(resources)),
        ["api", resources] => api::main(number(resources)),
        ["bare", url, calls] => bare::main(url, number(calls)),
        _ => {
            eprintln!("see bench/run");
            std::process::exit(64);
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("not a number: {text}"))
}
