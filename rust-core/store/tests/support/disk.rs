//! A disk below SQLite that fails and forgets: a VFS in front of the system's own. It injects errors, and it knows what has reached the
//! disk, so that a test can cut the power and go on with what is left. Files that do not go through SQLite are not its business.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock};

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use rusqlite::ffi;

/// What reaches a disk in one piece.
const SECTOR_BYTES: usize = 512;

/// A way to fail.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Failure {
    Read,
    /// The log is shorter than it was. SQLite takes a database that is too short for one with empty pages, so its reads do not fail so.
    ShortRead,
    Write,
    Full,
    Sync,
}

impl Failure {
    pub(crate) const ALL: [Failure; 5] = [
        Failure::Read,
        Failure::ShortRead,
        Failure::Write,
        Failure::Full,
        Failure::Sync,
    ];
}

/// When the disk fails: after some operations that can fail so, once or from then on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) failure: Failure,
    pub(crate) after: u32,
    pub(crate) stays: bool,
}

/// What was done to a file and may not have reached the disk yet.
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
    Remove,
}

/// A file as the disk has it, and what is on its way there.
#[derive(Default)]
struct File {
    synced: Vec<u8>,
    pending: Vec<Change>,
    /// The next sync brings the folder to the disk too, as SQLite does it for journals and logs.
    syncs_folder: bool,
}

struct State {
    files: BTreeMap<PathBuf, File>,
    random: Pcg64Mcg,
    fault: Option<Fault>,
    /// Changes until the power goes.
    power: Option<u32>,
    is_off: bool,
    failed: BTreeMap<Failure, u64>,
}

/// The disk of one folder.
pub(crate) struct Disk {
    folder: PathBuf,
    state: Mutex<State>,
}

static DISKS: Mutex<Vec<Arc<Disk>>> = Mutex::new(Vec::new());

impl Disk {
    /// From now on SQLite's files in this folder are on this disk. What is there has reached it.
    pub(crate) fn new(folder: &Path, seed: u64) -> Arc<Disk> {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(vfs::register);
        let state = State {
            files: BTreeMap::new(),
            random: Pcg64Mcg::new(u128::from(seed)),
            fault: None,
            power: None,
            is_off: false,
            failed: BTreeMap::new(),
        };
        let disk = Arc::new(Disk {
            folder: folder.canonicalize().unwrap(),
            state: Mutex::new(state),
        });
        DISKS.lock().unwrap().push(Arc::clone(&disk));
        disk
    }

    /// The folder is an ordinary one again.
    pub(crate) fn remove(&self) {
        DISKS.lock().unwrap().retain(|disk| disk.folder != self.folder);
    }

    fn of(path: &Path) -> Option<Arc<Disk>> {
        let disks = DISKS.lock().unwrap();
        disks.iter().find(|disk| path.parent() == Some(&disk.folder)).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Sets how the disk fails next; `None` for not at all.
    pub(crate) fn fail(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    /// Whether the fault that was set has not come yet.
    pub(crate) fn is_armed(&self) -> bool {
        self.state().fault.is_some()
    }

    /// Cuts the power after this many changes.
    pub(crate) fn cut_power(&self, after: u32) {
        self.state().power = Some(after);
    }

    /// Whether the power is gone.
    pub(crate) fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// How often the disk failed, by failure.
    pub(crate) fn failed(&self) -> BTreeMap<Failure, u64> {
        self.state().failed.clone()
    }

    /// Writes to another folder what a disk may have after the power went: what was synced, and of the rest all, nothing, or any sectors.
    pub(crate) fn leave(&self, to: &Path) {
        let mut state = self.state();
        let State { files, random, .. } = &mut *state;
        let kept = random.next_u64() % 3;
        for (path, file) in files {
            let mut bytes = file.synced.clone();
            for change in &file.pending {
                let kept = if kept == 2 { random.next_u64() % 3 } else { kept };
                match change {
                    // The old file is still there, and what came afterwards went to another one.
                    Change::Remove if kept == 0 => break,
                    Change::Write(at, written) if kept == 2 => {
                        let sectors = random.next_u64() as usize % (written.len() / SECTOR_BYTES + 1);
                        let written = &written[..sectors * SECTOR_BYTES];
                        if !written.is_empty() {
                            Change::Write(*at, written.to_vec()).apply(&mut bytes);
                        }
                    }
                    _ if kept == 0 => {}
                    change => change.apply(&mut bytes),
                }
            }
            if !bytes.is_empty() {
                std::fs::write(to.join(path.file_name().unwrap()), bytes).unwrap();
            }
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(at, written) => {
                let end = at + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(written);
            }
            Change::Truncate(size) => bytes.truncate(*size),
            Change::Remove => bytes.clear(),
        }
    }
}

impl State {
    /// Whether an operation that can fail so fails now.
    fn fails(&mut self, failures: &[Failure]) -> Option<Failure> {
        let fault = self.fault.as_mut().filter(|fault| failures.contains(&fault.failure))?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        let Fault { failure, stays, .. } = *fault;
        if !stays {
            self.fault = None;
        }
        *self.failed.entry(failure).or_default() += 1;
        Some(failure)
    }

    /// Counts a change. False if it comes after the power went.
    fn has_power(&mut self) -> bool {
        if self.power == Some(0) {
            self.is_off = true;
        }
        self.power = self.power.map(|left| left.saturating_sub(1));
        !self.is_off
    }

    fn change(&mut self, path: &Path, change: Change) {
        self.files.entry(path.to_owned()).or_default().pending.push(change);
    }

    fn sync(&mut self, path: &Path) {
        let file = self.files.entry(path.to_owned()).or_default();
        for change in std::mem::take(&mut file.pending) {
            change.apply(&mut file.synced);
        }
        if std::mem::take(&mut file.syncs_folder) {
            self.sync_folder();
        }
    }

    /// Files that were removed stay so.
    fn sync_folder(&mut self) {
        for file in self.files.values_mut() {
            if let Some(removed) = file.pending.iter().rposition(|change| matches!(change, Change::Remove)) {
                file.pending.drain(..=removed);
                file.synced.clear();
            }
        }
    }

    /// After a sync that failed, the system believes the rest to be written, but some of it never is.
    fn forget(&mut self, path: &Path) {
        let State { files, random, .. } = self;
        let file = files.entry(path.to_owned()).or_default();
        for change in std::mem::take(&mut file.pending) {
            if !random.next_u64().is_multiple_of(2) {
                change.apply(&mut file.synced);
            }
        }
    }
}

/// What SQLite calls.
///
/// Safety of all of it: SQLite calls a method only with a file that `open` has made, with buffers as long as it says, and never again after
/// `close`. The system's VFS is never unregistered.
mod vfs {
    use super::*;

    /// A file of SQLite's. The system's own file stands right behind it.
    #[repr(C)]
    struct Handle {
        base: ffi::sqlite3_file,
        /// The disk and the path; none for a file that is on no disk.
        place: *mut Option<(Arc<Disk>, PathBuf)>,
    }

    struct System(*mut ffi::sqlite3_vfs);
    // SAFETY: SQLite's VFS can be called from every thread.
    unsafe impl Send for System {}
    // SAFETY: As above.
    unsafe impl Sync for System {}
    static SYSTEM: OnceLock<System> = OnceLock::new();

    fn system() -> *mut ffi::sqlite3_vfs {
        SYSTEM.get().unwrap().0
    }

    /// Puts this VFS in front of the system's.
    pub(super) fn register() {
        // SAFETY: The new VFS and its name live as long as the process.
        unsafe {
            SYSTEM.get_or_init(|| System(ffi::sqlite3_vfs_find(std::ptr::null())));
            let system = &*system();
            let vfs = ffi::sqlite3_vfs {
                szOsFile: size_of::<Handle>() as c_int + system.szOsFile,
                pNext: std::ptr::null_mut(),
                zName: c"whimbrel-test-disk".as_ptr(),
                xOpen: Some(open),
                xDelete: Some(delete),
                ..*system
            };
            let code = ffi::sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 1);
            assert_eq!(code, ffi::SQLITE_OK);
        }
    }

    fn path_of(name: *const c_char) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        // SAFETY: SQLite's names end with a zero.
        let name = unsafe { CStr::from_ptr(name) };
        PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()))
    }

    unsafe extern "C" fn open(
        _: *mut ffi::sqlite3_vfs,
        name: *const c_char,
        file: *mut ffi::sqlite3_file,
        flags: c_int,
        flags_out: *mut c_int,
    ) -> c_int {
        // SAFETY: See the module; SQLite has made room for both files.
        unsafe {
            let handle = file.cast::<Handle>();
            (*handle).base.pMethods = std::ptr::null();
            let place = (!name.is_null()).then(|| path_of(name)).and_then(|path| {
                let disk = Disk::of(&path)?;
                Some((disk, path))
            });
            if let Some((disk, path)) = &place {
                let mut state = disk.state();
                if state.is_off {
                    return ffi::SQLITE_CANTOPEN;
                }
                let file = state.files.entry(path.clone()).or_insert_with(|| File {
                    synced: std::fs::read(path).unwrap_or_default(),
                    ..File::default()
                });
                file.syncs_folder = flags & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_WAL) != 0;
            }
            let code = (*system()).xOpen.unwrap()(system(), name, below(file), flags, flags_out);
            if code == ffi::SQLITE_OK {
                (*handle).place = Box::into_raw(Box::new(place));
                (*handle).base.pMethods = &raw const METHODS;
            }
            code
        }
    }

    unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
        let path = path_of(name);
        if let Some(disk) = Disk::of(&path) {
            let mut state = disk.state();
            if !state.has_power() || state.fails(&[Failure::Write]).is_some() {
                return ffi::SQLITE_IOERR_DELETE;
            }
            state.change(&path, Change::Remove);
            if sync_folder != 0 {
                state.sync_folder();
            }
        }
        // SAFETY: See the module.
        unsafe { (*system()).xDelete.unwrap()(system(), name, 0) }
    }

    /// The system's file behind a file.
    unsafe fn below(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
        // SAFETY: `register` has asked for the room.
        unsafe { file.cast::<Handle>().add(1).cast() }
    }

    unsafe fn place<'a>(file: *mut ffi::sqlite3_file) -> Option<(MutexGuard<'a, State>, &'a Path)> {
        // SAFETY: `open` has made it, and it stays until `close`.
        let place = unsafe { &*(*file.cast::<Handle>()).place };
        place.as_ref().map(|(disk, path)| (disk.state(), path.as_path()))
    }

    /// Defines methods that ask the system.
    macro_rules! ask_system {
        ($($name:ident = $method:ident($($argument:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {$(
            unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $kind)*) $(-> $result)? {
                // SAFETY: See the module.
                unsafe { (*(*below(file)).pMethods).$method.unwrap()(below(file) $(, $argument)*) }
            }
        )*};
    }

    ask_system! {
        system_read = xRead(to: *mut c_void, bytes: c_int, at: i64) -> c_int;
        system_write = xWrite(from: *const c_void, bytes: c_int, at: i64) -> c_int;
        system_truncate = xTruncate(size: i64) -> c_int;
        system_close = xClose() -> c_int;
        file_size = xFileSize(size: *mut i64) -> c_int;
        lock = xLock(level: c_int) -> c_int;
        unlock = xUnlock(level: c_int) -> c_int;
        check_reserved_lock = xCheckReservedLock(result: *mut c_int) -> c_int;
        file_control = xFileControl(operation: c_int, argument: *mut c_void) -> c_int;
        sector_size = xSectorSize() -> c_int;
        device_characteristics = xDeviceCharacteristics() -> c_int;
        shm_map = xShmMap(page: c_int, bytes: c_int, extend: c_int, to: *mut *mut c_void) -> c_int;
        shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
        shm_barrier = xShmBarrier();
        shm_unmap = xShmUnmap(delete: c_int) -> c_int;
    }

    unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
        // SAFETY: See the module; `open` has made the box, and this is the last call.
        unsafe {
            let code = system_close(file);
            drop(Box::from_raw((*file.cast::<Handle>()).place));
            code
        }
    }

    unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, bytes: c_int, at: i64) -> c_int {
        // SAFETY: See the module.
        unsafe {
            if let Some((mut state, path)) = place(file) {
                let is_log = path.as_os_str().as_encoded_bytes().ends_with(b"-wal");
                let failures = [Failure::Read, Failure::ShortRead];
                match state.fails(&failures[..if is_log { 2 } else { 1 }]) {
                    Some(Failure::ShortRead) => {
                        to.cast::<u8>().write_bytes(0, bytes as usize);
                        return ffi::SQLITE_IOERR_SHORT_READ;
                    }
                    Some(_) => return ffi::SQLITE_IOERR_READ,
                    None if state.is_off => return ffi::SQLITE_IOERR_READ,
                    None => {}
                }
            }
            system_read(file, to, bytes, at)
        }
    }

    unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, bytes: c_int, at: i64) -> c_int {
        // SAFETY: See the module.
        unsafe {
            let mut code = ffi::SQLITE_OK;
            let mut written = bytes;
            if let Some((mut state, path)) = place(file) {
                if !state.has_power() {
                    return ffi::SQLITE_IOERR_WRITE;
                }
                if let Some(failure) = state.fails(&[Failure::Write, Failure::Full]) {
                    let full = failure == Failure::Full;
                    code = if full {
                        ffi::SQLITE_FULL
                    } else {
                        ffi::SQLITE_IOERR_WRITE
                    };
                    let sectors = bytes as usize / SECTOR_BYTES + 1;
                    written = (state.random.next_u64() as usize % sectors * SECTOR_BYTES) as c_int;
                }
                let part = std::slice::from_raw_parts(from.cast::<u8>(), written as usize);
                if part.is_empty() {
                    return code;
                }
                state.change(path, Change::Write(at as usize, part.to_vec()));
            }
            match system_write(file, from, written, at) {
                ffi::SQLITE_OK => code,
                failed => failed,
            }
        }
    }

    unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
        // SAFETY: See the module.
        unsafe {
            if let Some((mut state, path)) = place(file) {
                if !state.has_power() || state.fails(&[Failure::Write]).is_some() {
                    return ffi::SQLITE_IOERR_TRUNCATE;
                }
                state.change(path, Change::Truncate(size as usize));
            }
            system_truncate(file, size)
        }
    }

    unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
        // SAFETY: See the module.
        unsafe {
            if let Some((mut state, path)) = place(file) {
                if !state.has_power() {
                    return ffi::SQLITE_IOERR_FSYNC;
                }
                if state.fails(&[Failure::Sync]).is_some() {
                    state.forget(path);
                    return ffi::SQLITE_IOERR_FSYNC;
                }
                state.sync(path);
            }
            // The disk is this one: the system's need not be waited for.
            ffi::SQLITE_OK
        }
    }

    static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
        iVersion: 2,
        xClose: Some(close),
        xRead: Some(read),
        xWrite: Some(write),
        xTruncate: Some(truncate),
        xSync: Some(sync),
        xFileSize: Some(file_size),
        xLock: Some(lock),
        xUnlock: Some(unlock),
        xCheckReservedLock: Some(check_reserved_lock),
        xFileControl: Some(file_control),
        xSectorSize: Some(sector_size),
        xDeviceCharacteristics: Some(device_characteristics),
        xShmMap: Some(shm_map),
        xShmLock: Some(shm_lock),
        xShmBarrier: Some(shm_barrier),
        xShmUnmap: Some(shm_unmap),
        xFetch: None,
        xUnfetch: None,
    };
}
