//! This program as a worker: it runs before the test harness has started a thread, confines itself, acts, and ends.
#![expect(unsafe_code, reason = "an attacker makes system calls and memory that no library would")]

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::process::exit;
use std::ptr;
use std::thread;

use weir_confine::{Budgets, CodeWindow, Confinement, MappedWindow, confine};

/// The environment variable that makes this program a worker.
pub(crate) const ROLE: &str = "WEIR_CONFINE_TEST_WORKER";

/// Before `main`: the harness runs tests in threads, and a process with threads is not confined.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    if std::env::var_os(ROLE).is_some() {
        be_a_worker();
        exit(0);
    }
}

/// Address space of the test's workers.
pub(crate) const ADDRESS_SPACE_BYTES: u64 = 512 << 20;

fn be_a_worker() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let end = arguments.iter().position(|argument| argument == "do").unwrap();
    let (settings, action) = (&arguments[..end], &arguments[end + 1..]);
    let budgets = Budgets {
        address_space_bytes_max: Some(ADDRESS_SPACE_BYTES),
        data_bytes_max: Some(64 << 20),
        file_bytes_max: Some(1 << 20),
        descriptors_max: Some(64),
        cpu_s_max: None,
    };
    let mut confinement = match settings.iter().any(|setting| setting == "role=connector") {
        true => Confinement::connector(budgets),
        false => Confinement::tenant_worker(budgets),
    };
    for setting in settings {
        let (key, value) = setting.split_once('=').unwrap();
        confinement = match key {
            "uid" => confinement.identity(value.parse().unwrap(), value.parse().unwrap()),
            "parent" => confinement.parent(value.parse().unwrap()),
            "read" => confinement.read(value),
            "write" => confinement.write(value),
            "role" => confinement,
            "keep_window" => confinement.keep([LEFT_OPEN]),
            "keep" => confinement.keep([value.parse().unwrap()]),
            "unknown" => confinement.end_unknown_calls(),
            "without" => confinement.without(value.parse().unwrap()),
            other => panic!("no such setting: {other}"),
        };
    }
    let mut window = None;
    match action[0].as_str() {
        "thread_first" => drop(thread::spawn(|| thread::sleep(std::time::Duration::from_secs(9)))),
        "window" => window = Some(window_with_code()),
        _ => {}
    }
    match confine(&confinement) {
        Ok(walls) => println!("{walls}"),
        Err(error) => {
            println!("{error}");
            exit(1);
        }
    }
    act(action, window.as_ref());
    println!("still here");
}

fn act(action: &[String], window: Option<&MappedWindow>) {
    match action[0].as_str() {
        "wait" => drop(io::stdin().read(&mut [0])),
        "nothing" => {}
        "call" => println!("answered {}", call(&action[1..])),
        "window" => tamper(window.unwrap(), &action[1]),
        "work" => println!("{}", work(&action[1]).map_or_else(|error| error.to_string(), |()| "all of it".to_owned())),
        "connect" => println!("{}", connect(&action[1]).unwrap_or_else(|error| error.to_string())),
        "abort" => std::process::abort(),
        "panic" => panic!("as guests make it happen"),
        "mmap_file" => map_file_to_execute(&action[1]),
        "written_code" => {
            let page = map(4096, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS).unwrap();
            let words = [libc::SYS_mprotect, page.addr() as i64, 4096, i64::from(libc::PROT_READ | libc::PROT_EXEC)];
            println!("answered {}", call(&words.map(|word| word.to_string())));
        }
        "writable_code" => {
            let all = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
            let error = map(4096, all, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)
                .map_or_else(|error| error.raw_os_error(), |_| None);
            println!("answered {}", -i64::from(error.unwrap_or(0)));
        }
        "o_path" => open_by_a_bare_handle(&action[1]),
        "file_size" => {
            let error = fs::write(&action[1], vec![1; 2 << 20]).err().and_then(|error| error.raw_os_error());
            println!("answered {}", error.unwrap_or(0));
        }
        "memory" => drop(vec![1_u8; 100 << 20]),
        "threads" => count("threads", || thread::Builder::new().spawn(thread::park).map(drop)),
        "descriptors" => count("descriptors", || io::stdin().as_fd().try_clone_to_owned().map(std::mem::forget)),
        "addresses" => {
            count("mappings", || map(1 << 26, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS).map(drop));
        }
        "i386" => i386_getpid(),
        other => panic!("no such action: {other}"),
    }
}

fn count(what: &str, mut once: impl FnMut() -> io::Result<()>) {
    let mut done = 0;
    while done < 100_000 && once().is_ok() {
        done += 1;
    }
    println!("answered {done}");
    println!("{what}");
}

/// A system call: what it answered, or its error as a negative number.
fn call(words: &[String]) -> i64 {
    let texts: Vec<CString> = words.iter().map(|text| CString::new(text.as_str()).unwrap()).collect();
    let scratch = vec![0_u8; 4 << 10];
    let mut numbers = [0_i64; 7];
    for ((number, word), text) in numbers.iter_mut().zip(words).zip(&texts) {
        *number = match word.chars().next() {
            Some('/') => text.as_ptr().addr() as i64,
            Some('*') => scratch.as_ptr().addr() as i64,
            _ => word.parse().unwrap(),
        };
    }
    let [number, a, b, c, d, e, f] = numbers;
    // SAFETY: pointers among the arguments are to texts and bytes that live to the end of this function, and a process that makes
    // this call is there for nothing else: what it does to itself ends with it.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if answer == -1 { -i64::from(io::Error::last_os_error().raw_os_error().unwrap()) } else { answer }
}

fn map(bytes: usize, protection: i32, flags: i32) -> io::Result<*mut u8> {
    // SAFETY: a new mapping that takes no other one's place.
    let address = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if address == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(address.cast()) }
}

/// What a connector is for: a name becomes addresses, and one of them a connection.
fn connect(to: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.write_all(b"hello")?;
    let datagrams = call(
        &[libc::SYS_socket, i64::from(libc::AF_INET), i64::from(libc::SOCK_DGRAM), 0].map(|word| word.to_string()),
    );
    assert!(datagrams >= 0, "{datagrams}");
    Ok("connected".to_owned())
}

/// What a worker needs: files of its folder, threads, and descriptors to wait for.
fn work(folder: &str) -> io::Result<()> {
    let path = |name: &str| format!("{folder}/{name}");
    fs::write(path("part"), "rows")?;
    fs::rename(path("part"), path("whole"))?;
    fs::create_dir_all(path("below/deeper"))?;
    fs::rename(path("whole"), path("below/deeper/whole"))?;
    fs::hard_link(path("below/deeper/whole"), path("below/deeper/second"))?;
    let file = File::options().write(true).open(path("below/deeper/whole"))?;
    file.set_len(2)?;
    file.sync_all()?;
    file.try_lock().map_err(|error| io::Error::other(error.to_string()))?;
    drop(file);
    assert_eq!(fs::read(path("below/deeper/second"))?, b"ro");
    assert_eq!(fs::read_dir(path("below/deeper"))?.count(), 2);
    fs::remove_dir_all(path("below"))?;
    let (mut one, mut other) = UnixStream::pair()?;
    one.set_nonblocking(true)?;
    let sum = thread::Builder::new().name("named".to_owned()).spawn(move || {
        let mut buffer = [0; 2];
        other.read_exact(&mut buffer).map(|()| buffer)
    })?;
    one.write_all(b"ok")?;
    assert_eq!(sum.join().unwrap()?, *b"ok");
    let (mut reader, mut writer) = io::pipe()?;
    writer.write_all(b"x")?;
    reader.read_exact(&mut [0])?;
    thread::sleep(std::time::Duration::from_millis(1));
    assert!(thread::available_parallelism()?.get() > 0);
    assert!(std::panic::catch_unwind(|| panic!("caught")).is_err());
    let large = vec![1_u8; 8 << 20];
    assert_eq!(large.iter().map(|&byte| u64::from(byte)).sum::<u64>(), 8 << 20);
    Ok(())
}

fn map_file_to_execute(path: &str) {
    fs::write(path, [0xc3; 4096]).unwrap();
    let file = File::open(path).unwrap();
    // SAFETY: a new mapping that takes no other one's place.
    let address = unsafe {
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        libc::mmap(ptr::null_mut(), 4096, protection, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
    };
    let error = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    println!("answered {}", if address == libc::MAP_FAILED { -i64::from(error) } else { 0 });
}

/// Landlock lets any path be opened that only names it; nothing can be made of that.
fn open_by_a_bare_handle(folder: &str) {
    let handle = call(&[libc::SYS_openat.to_string(), "-100".into(), folder.into(), libc::O_PATH.to_string()]);
    assert!(handle >= 0);
    let through = |name: &str, flags: i32| {
        let name = CString::new(name).unwrap();
        // SAFETY: the text lives longer than the call.
        let answer = unsafe { libc::openat(i32::try_from(handle).unwrap(), name.as_ptr(), flags) };
        if answer < 0 { -i64::from(io::Error::last_os_error().raw_os_error().unwrap()) } else { i64::from(answer) }
    };
    println!("through it {} {}", through("file", libc::O_RDONLY), through(".", libc::O_RDONLY | libc::O_DIRECTORY));
}

/// `mov eax, 7; ret`, and for other processors what returns at once.
#[cfg(target_arch = "x86_64")]
const CODE: &[u8] = &[0xb8, 7, 0, 0, 0, 0xc3];
#[cfg(target_arch = "aarch64")]
const CODE: &[u8] = &[0xe0, 0, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];

/// The number of the window's descriptor that the worker forgot.
const LEFT_OPEN: i32 = 4;

fn window_with_code() -> MappedWindow {
    let mut window = CodeWindow::create(1 << 16).unwrap();
    let mapped = MappedWindow::map(window.as_fd()).unwrap();
    window.write(CODE).unwrap();
    // As a worker it has but the one mapping, and a descriptor that was left open.
    assert_eq!(rustix::io::dup(&window).unwrap().into_raw_fd(), LEFT_OPEN);
    drop(window);
    mapped
}

fn tamper(window: &MappedWindow, how: &str) {
    let code = window.code(weir_confine::CodePlace { offset: 0, bytes: CODE.len() as u64 }).unwrap();
    let begin: *mut u8 = code.as_ptr().cast();
    let protect = |protection: i32| begin_call(libc::SYS_mprotect, begin, &[1 << 16, i64::from(protection)]);
    match how {
        // SAFETY: the window holds the code of a function without arguments, which was there before this process was confined.
        "run" => println!("answered {}", unsafe { std::mem::transmute::<*mut u8, extern "C" fn() -> i32>(begin)() }),
        // SAFETY: it is what an attacker does: the kernel ends the process, which is what is tested.
        "write" => unsafe { begin.write_volatile(0xcc) },
        "protect_write" => println!("answered {}", protect(libc::PROT_READ | libc::PROT_WRITE)),
        "protect_all" => println!("answered {}", protect(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC)),
        // What lost the right to be run does not get it again.
        "protect_back" => {
            assert_eq!(protect(libc::PROT_READ), 0);
            println!("answered {}", protect(libc::PROT_READ | libc::PROT_EXEC));
        }
        "punch" => {
            println!("answered {}", begin_call(libc::SYS_madvise, begin, &[1 << 16, i64::from(libc::MADV_REMOVE)]))
        }
        "reopen" => {
            let begin = begin.addr();
            let path = format!("/proc/self/map_files/{begin:x}-{:x}", begin + (1 << 16));
            let answer =
                File::options().read(true).write(true).open(path).map_or_else(|error| error.raw_os_error(), |_| None);
            println!("answered {}", -i64::from(answer.unwrap_or(0)));
        }
        // Landlock knows no files without a folder: it opens, and stays sealed.
        "write_by_descriptor" => {
            let mut file = File::options().write(true).open(format!("/proc/self/fd/{LEFT_OPEN}")).unwrap();
            println!("answered {}", -i64::from(file.write(&[0xcc]).unwrap_err().raw_os_error().unwrap()));
        }
        "resize_by_descriptor" => {
            println!("answered {}", call(&[libc::SYS_ftruncate, i64::from(LEFT_OPEN), 0].map(|word| word.to_string())));
        }
        "map_by_descriptor" => {
            let words = [libc::SYS_mmap, 0, 4096, 3, 1, i64::from(LEFT_OPEN), 0];
            println!("answered {}", call(&words.map(|word| word.to_string())));
        }
        other => panic!("no such attack: {other}"),
    }
}

fn begin_call(number: i64, begin: *mut u8, rest: &[i64; 2]) -> i64 {
    call(&[number.to_string(), (begin.addr() as i64).to_string(), rest[0].to_string(), rest[1].to_string()])
}

/// `getpid` by the numbers of another kind of processor.
#[cfg(target_arch = "x86_64")]
fn i386_getpid() {
    let mut number = 20_i32;
    // SAFETY: the interrupt takes a call's number in eax and answers there; getpid touches no memory.
    unsafe { std::arch::asm!("int 0x80", inout("eax") number, out("r8") _, out("r9") _, out("r10") _, out("r11") _) };
    println!("answered {number}");
}

#[cfg(not(target_arch = "x86_64"))]
fn i386_getpid() {
    // There is none: as if it had been ended.
    // SAFETY: a signal to this process.
    unsafe { libc::raise(libc::SIGSYS) };
}
