//! Other processes: started, asked, measured, ended.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that is ended when it is no longer needed.
pub struct Child {
    process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Where it serves; the first line that it prints.
    pub address: String,
}

impl Child {
    /// This very program in another role.
    pub fn role(arguments: &[&str]) -> Self {
        let itself = std::env::current_exe().expect("our own path");
        Self::start(Command::new(itself).args(arguments))
    }

    /// This very program in another role, on one core.
    pub fn role_on(core: &str, arguments: &[&str]) -> Self {
        let itself = std::env::current_exe().expect("our own path");
        Self::start(Command::new("taskset").args(["-c", core]).arg(itself).args(arguments))
    }

    /// A program whose first line is the address that it serves on.
    pub fn start(command: &mut Command) -> Self {
        let mut child = Self::silent(command);
        child.address = child.line();
        child
    }

    /// A program that says nothing at its start.
    pub fn silent(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, input, output, address: String::new() }
    }

    /// Says a line and returns the answer.
    pub fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").expect("it listens");
        self.line()
    }

    /// Says a line and returns the answer, a number.
    pub fn number(&mut self, line: &str) -> u64 {
        self.ask(line).parse().expect("a number")
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("text");
        assert!(!line.is_empty(), "process {} ended", self.process.id());
        line.trim_end().to_owned()
    }

    /// Its whole output, once it has ended by itself.
    pub fn rest(mut self) -> String {
        let mut text = String::new();
        self.output.read_to_string(&mut text).expect("text");
        text
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// User and system time of all its threads.
    pub fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs");
        let nanos = tasks.flatten().filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }

    /// The most memory it ever had in RAM, in MiB.
    pub fn peak(&self) -> f64 {
        self.status("VmHWM")
    }

    /// The memory it has in RAM now, in MiB.
    pub fn resident(&self) -> f64 {
        self.status("VmRSS")
    }

    fn status(&self, key: &str) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("the kernel says it");
        let kib: f64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
        kib / 1024.0
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already; what matters is that it is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads an answer to its end over a connection of its own, and throws it away: the reader costs the same whoever
/// serves.
pub fn get(address: &str, path: &str, gzip: bool) -> Duration {
    let started = Instant::now();
    read(address, path, gzip, |_| {});
    started.elapsed()
}

/// A connection that is kept over several answers, as Prometheus keeps it.
pub struct Kept {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Kept {
    pub fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        Self { stream, buffer: vec![0; 1 << 18] }
    }

    /// Reads an answer to its end and throws it away.
    pub fn get(&mut self, path: &str, gzip: bool) {
        let encoding = if gzip { "accept-encoding: gzip\r\n" } else { "" };
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{encoding}\r\n");
        self.stream.write_all(request.as_bytes()).expect("it reads");
        let first = self.stream.read(&mut self.buffer).expect("it writes");
        let head = String::from_utf8_lossy(&self.buffer[..first.min(2048)]).to_lowercase();
        let end = head.find("\r\n\r\n").expect("a head in the first bytes") + 4;
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        match length {
            Some(length) => self.skip(first - end, length),
            None => self.skip_chunks(first),
        }
    }

    fn skip(&mut self, mut got: usize, length: usize) {
        while got < length {
            got += self.stream.read(&mut self.buffer).expect("it writes");
        }
    }

    /// Nothing in a page looks like the end of chunks, and nothing comes after it.
    fn skip_chunks(&mut self, mut got: usize) {
        const END: &[u8] = b"\r\n0\r\n\r\n";
        let mut tail = self.buffer[got.saturating_sub(END.len())..got].to_vec();
        while !tail.ends_with(END) {
            got = self.stream.read(&mut self.buffer).expect("it writes");
            tail.extend_from_slice(&self.buffer[got.saturating_sub(END.len())..got]);
            tail.drain(..tail.len().saturating_sub(END.len()));
        }
    }
}

/// Reads an answer to its end and keeps its body.
pub fn body(address: &str, path: &str, gzip: bool) -> Vec<u8> {
    let mut answer = Vec::new();
    read(address, path, gzip, |block| answer.extend_from_slice(block));
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let body = answer.split_off(end);
    if head.contains("transfer-encoding: chunked") { unchunked(&body) } else { body }
}

fn read(address: &str, path: &str, gzip: bool, mut take: impl FnMut(&[u8])) {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    let encoding = if gzip { "accept-encoding: gzip\r\n" } else { "" };
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{encoding}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut buffer = vec![0; 1 << 18];
    loop {
        match stream.read(&mut buffer).expect("it writes") {
            0 => return,
            length => take(&buffer[..length]),
        }
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(body.len());
    loop {
        let line = body.windows(2).position(|two| two == b"\r\n").expect("a chunk");
        let length =
            std::str::from_utf8(&body[..line]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let length = length.expect("the length of a chunk");
        if length == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[line + 2..][..length]);
        body = &body[line + 2 + length + 2..];
    }
}
