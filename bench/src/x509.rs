//! P13: from PEM to dates, names and SHA-256, on one core.
//!
//! `x509 FILE [COMMAND...]`: the others print microseconds a certificate, given the file and the number.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use notafter::provider::x509::from_pem;

use crate::child::Child;
use crate::table::{median, row, short, verdict};

const ROUNDS: usize = 5;
const CERTIFICATES: usize = 20_000;

pub fn main(arguments: &[&str]) {
    let [file, ref others @ ..] = *arguments else { panic!("see bench/run") };
    let pem = std::fs::read_to_string(file).expect("a file");
    let mut ours = Vec::new();
    let mut theirs: Vec<Vec<f64>> = others.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        ours.push(once(&pem));
        for (command, times) in others.iter().zip(&mut theirs) {
            let words: Vec<&str> = command.split(' ').collect();
            let arguments = words[1..].iter().copied().chain([file]);
            let child = Child::silent(Command::new(words[0]).args(arguments).arg(CERTIFICATES.to_string()));
            times.push(child.rest().trim().parse().expect("a number"));
        }
    }
    let ours = median(ours);
    row("", "PEM to dates, names and SHA-256, RSA 2048", &format!("{} µs", short(ours)));
    verdict("P13", "time a certificate (100,000 a second)", ours, 10.0, "µs");
    for (command, times) in others.iter().zip(theirs) {
        let theirs = median(times);
        let (name, limit) = if command.contains("python") {
            ("Python cryptography", 1.0 / 3.0)
        } else {
            ("Go crypto/x509", 0.8)
        };
        row("", &format!("– {name}"), &format!("{} µs", short(theirs)));
        verdict("P13", &format!("against {name}"), ours / theirs, limit, "x");
    }
}

fn once(pem: &str) -> f64 {
    let started = Instant::now();
    for _ in 0..CERTIFICATES {
        black_box(from_pem(black_box(pem)).expect("a certificate"));
    }
    started.elapsed().as_secs_f64() * 1e6 / CERTIFICATES as f64
}
