// A greedy completion by plain extern "C": complete MODEL PROMPT TOKENS.
use std::env;
use std::error::Error;
use std::ffi::{CStr, CString};
use std::io::{self, Write};
use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::ptr::null;

// Made by `make abi` from include/mixtral.abi.json.
const TOKENIZE_BOS: u32 = 1;
const DETOKENIZE_CONTINUE: u32 = 2;

/// mixtral_sampler_options; what is not used here stands together.
#[repr(C)]
#[derive(Default)]
struct SamplerOptions {
    struct_size: u32,
    top_k: u32,
    temperature: f32,
    top_p_to_random_seed: [u32; 9],
    seed_to_user: [u64; 5],
}

/// Handles are numbers: as references or pointers they would ask to be followed.
type Bits = u64;

#[link(name = "mixtral")]
extern "C" {
    fn mixtral_status_name(status: i32) -> *const c_char;
    fn mixtral_last_error() -> *const c_char;
    fn mixtral_load(model: *mut Bits, path: *const c_char, options: *const c_void) -> i32;
    fn mixtral_model_stop_tokens(
        count: *mut usize,
        buffer: *mut i32,
        capacity: usize,
        model: Bits,
    ) -> i32;
    fn mixtral_session_create(session: *mut Bits, model: Bits, options: *const c_void) -> i32;
    fn mixtral_sampler_create(sampler: *mut Bits, options: *const SamplerOptions) -> i32;
    fn mixtral_detokenizer_create(detokenizer: *mut Bits, model: Bits, flags: u32) -> i32;
    fn mixtral_tokenize(
        count: *mut usize,
        buffer: *mut i32,
        capacity: usize,
        model: Bits,
        text: *const u8,
        size: usize,
        flags: u32,
    ) -> i32;
    fn mixtral_detokenizer_next(
        size: *mut usize,
        buffer: *mut u8,
        capacity: usize,
        detokenizer: Bits,
        tokens: *const i32,
        count: usize,
    ) -> i32;
    fn mixtral_step(session: Bits, tokens: *const i32, count: usize) -> i32;
    fn mixtral_sample(token: *mut i32, session: Bits, sampler: Bits) -> i32;
    fn mixtral_free(object: Bits) -> i32;
}
// End of what `make abi` made.

fn check(status: i32) -> Result<(), String> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: both are NUL-terminated and live at least until the next call of this thread.
    let text = |bytes| unsafe { CStr::from_ptr(bytes) }.to_string_lossy();
    let (name, sentence) = unsafe { (mixtral_status_name(status), mixtral_last_error()) };
    Err(format!("{}: {}", text(name), text(sentence)))
}

/// An object of the library, freed when it goes out of scope.
struct Object(Bits);

impl Object {
    fn create(make: impl FnOnce(*mut Bits) -> i32) -> Result<Object, String> {
        let mut bits = 0;
        check(make(&mut bits))?;
        Ok(Object(bits))
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: a handle is looked up, never followed.
        unsafe { mixtral_free(self.0) };
    }
}

fn complete(path: CString, prompt: &[u8], limit: usize) -> Result<(), Box<dyn Error>> {
    let options = SamplerOptions {
        struct_size: size_of::<SamplerOptions>() as u32,
        temperature: 0.0, // always the likeliest token
        ..Default::default()
    };
    let mut ends = vec![0; 64]; // more ends than models have; else the call says so
    // A token is at least a byte; a few more for what belongs before and after a text.
    let mut tokens = vec![0; prompt.len() + 8];
    let (mut count, mut size, mut token, mut piece) = (0, 0, 0, [0; 1024]);

    // SAFETY: each pointer is to a local value or to a buffer of the size beside it.
    unsafe {
        let model = Object::create(|out| mixtral_load(out, path.as_ptr(), null()))?;
        let session = Object::create(|out| mixtral_session_create(out, model.0, null()))?;
        let sampler = Object::create(|out| mixtral_sampler_create(out, &options))?;
        let detokenizer =
            Object::create(|out| mixtral_detokenizer_create(out, model.0, DETOKENIZE_CONTINUE))?;
        let (buffer, capacity) = (ends.as_mut_ptr(), ends.len());
        check(mixtral_model_stop_tokens(&mut count, buffer, capacity, model.0))?;
        ends.truncate(count);
        let (buffer, capacity) = (tokens.as_mut_ptr(), tokens.len());
        let (text, length) = (prompt.as_ptr(), prompt.len());
        check(mixtral_tokenize(&mut count, buffer, capacity, model.0, text, length, TOKENIZE_BOS))?;
        check(mixtral_step(session.0, tokens.as_ptr(), count))?;

        // Shows what a token completes or, with count 0, what was held back of a character.
        let mut write = |token: i32, count: usize| -> Result<(), Box<dyn Error>> {
            let (buffer, capacity) = (piece.as_mut_ptr(), piece.len());
            check(mixtral_detokenizer_next(
                &mut size,
                buffer,
                capacity,
                detokenizer.0,
                &token,
                count,
            ))?;
            io::stdout().write_all(&piece[..size])?;
            Ok(io::stdout().flush()?)
        };
        for _ in 0..limit {
            check(mixtral_sample(&mut token, session.0, sampler.0))?;
            if ends.contains(&token) {
                break;
            }
            write(token, 1)?;
            check(mixtral_step(session.0, &token, 1))?;
        }
        write(0, 0)
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<Vec<u8>> = env::args_os().map(OsStringExt::into_vec).collect();
    match &arguments[..] {
        [_, path, prompt, tokens] => {
            let limit = String::from_utf8_lossy(tokens).parse()?;
            complete(CString::new(path.clone())?, prompt, limit)
        }
        _ => Err("usage: complete MODEL PROMPT TOKENS".into()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
