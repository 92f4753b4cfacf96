//! An opened bundle: the mapped weights, the planned graph, the tokenizer and the chat template, shared by all sessions.

pub(crate) mod comparison;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use whimbrel_kernels::{KvPrecision, THREADS_MAX, ThreadPool};

use crate::bundle::read::read_limited;
use crate::bundle::weights::{INDEX_BYTES_MAX, Weights};
use crate::bundle::{Verify, verify_and_remember};
use crate::cache::{KvCache, Layout, SharedPrefix};
use crate::choosing::Priors;
use crate::clock::now;
use crate::cpu::default_threads;
use crate::graph::Graph;
use crate::graph::context::RunContext;
use crate::graph::reference::Limits;
use crate::graph::text::GRAPH_BYTES_MAX;
use crate::memory::{OPENING_BYTES, check_room};
use crate::template::TEMPLATE_BYTES_MAX;
use crate::tokenizer::TOKENIZER_BYTES_MAX;
use crate::{ChatTemplate, EngineError, Manifest, ModelCard, Tokenizer, Variant, Vocabulary};

/// The tokenizer's tables take at most this many times the size of their file.
const TABLES_FACTOR: u64 = 8;
/// The prepared vocabulary takes at most this many bytes for each of its tokens.
const VOCABULARY_TOKEN_BYTES: u64 = 640;

/// Options for opening a bundle.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Number of threads that compute; 0 uses [`crate::default_threads`].
    pub threads: u32,
    /// Which files to hash first.
    pub verify: Verify,
    /// A folder for the record of verified files, if the bundle's own folder is not writable.
    pub state_folder: Option<PathBuf>,
    /// The variant's name; `None` uses the first.
    pub variant: Option<String>,
    /// Whether to copy the weights into memory with huge pages, if the system supports them. Decoding is then faster, opening is slower,
    /// and the memory cannot be reclaimed under pressure as mapped files can.
    pub huge_pages: bool,
    /// The precision of keys and values in sessions. 8 bits take about half the memory, and change answers slightly.
    pub kv_precision: KvPrecision,
    /// Whether to run the graph on tract's own operators instead of ours, for comparison. This is slow, with all weights unpacked to f32 in
    /// memory.
    pub reference: bool,
}

/// A model that is ready to run. It is immutable and shared by its sessions.
///
/// ```
/// use std::path::Path;
/// use whimbrel_engine::{KvPrecision, Model, OpenOptions};
///
/// # fn main() -> Result<(), whimbrel_engine::EngineError> {
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny");
/// let options = OpenOptions {
///     threads: 1,
///     kv_precision: KvPrecision::Int8,
///     ..OpenOptions::default()
/// };
/// let model = Model::open(Path::new(folder), &options)?;
/// assert_eq!((model.layers(), model.threads()), (3, 1));
/// assert!(model.chat_template().is_some());
/// # Ok(())
/// # }
/// ```
pub struct Model {
    manifest: Manifest,
    variant: usize,
    tokenizer: Arc<Tokenizer>,
    /// For answers with a form, made for the first of them.
    vocabulary: OnceLock<Arc<Vocabulary>>,
    chat_template: Option<ChatTemplate>,
    graph: Graph,
    layout: Layout,
    pool: Arc<ThreadPool>,
    /// Prefixes that some session still uses.
    shared: Mutex<Vec<Weak<SharedPrefix>>>,
    priors: Priors,
    load_ms: f64,
}

impl Model {
    /// Opens a bundle folder: verifies it, maps its weights, plans its graph.
    ///
    /// # Errors
    /// [`EngineError::BundleMissing`], [`EngineError::Manifest`], [`EngineError::LayoutVersion`], [`EngineError::Corrupt`],
    /// [`EngineError::Read`], or the error of the part that cannot be used; [`EngineError::Option`] for an unknown variant or
    /// a thread count out of range; [`EngineError::Memory`] where the process may not have as much.
    pub fn open(folder: &Path, options: &OpenOptions) -> Result<Arc<Model>, EngineError> {
        let started = now();
        let threads = threads(options.threads)?;
        let manifest = verify_and_remember(folder, options.verify, options.state_folder.as_deref())?;
        let index = variant_index(&manifest, options.variant.as_deref())?;
        let variant = &manifest.variants[index];
        check_room(
            "the model",
            0,
            variant.weights.bytes + TABLES_FACTOR * manifest.tokenizer.file.bytes + OPENING_BYTES,
        )?;
        let tokenizer = Tokenizer::from_bytes(&read_limited(
            folder,
            &manifest.tokenizer.file.path,
            TOKENIZER_BYTES_MAX,
        )?)?;
        let chat_template = match &manifest.chat_template {
            Some(file) => {
                let source = utf8(&file.path, read_limited(folder, &file.path, TEMPLATE_BYTES_MAX as u64)?)?;
                Some(ChatTemplate::new(&source)?)
            }
            None => None,
        };
        let (text, weights) = Model::graph_and_weights(folder, variant, options)?;
        let limits = options.reference.then_some(Limits {
            context_length: manifest.context_length as usize,
        });
        let graph = Graph::load(&text, weights, limits)?;
        if graph.head.weights.rows != tokenizer.vocabulary_len() as usize {
            let (rows, tokens) = (graph.head.weights.rows, tokenizer.vocabulary_len());
            return Err(EngineError::Graph {
                reason: format!("the head has {rows} rows for {tokens} tokens"),
            });
        }
        let pool = ThreadPool::new(threads).map_err(|error| EngineError::Option {
            option: "threads",
            expected: format!("a number of threads that the system can start ({error})"),
            found: threads.to_string(),
        })?;
        let layout = Layout {
            attention: graph.attention.clone(),
            convolutions: graph.convolutions.clone(),
            precision: options.kv_precision,
        };
        log::debug!("model opened: {} layers, {threads} threads", layout.layers());
        Ok(Arc::new(Model {
            variant: index,
            tokenizer: Arc::new(tokenizer),
            vocabulary: OnceLock::new(),
            chat_template,
            graph,
            layout,
            pool: Arc::new(pool),
            shared: Mutex::default(),
            priors: Priors::default(),
            load_ms: started.elapsed().as_secs_f64() * 1e3,
            manifest,
        }))
    }

    /// The text of a variant's graph, and its weights.
    pub(crate) fn graph_and_weights(
        folder: &Path,
        variant: &Variant,
        options: &OpenOptions,
    ) -> Result<(String, Weights), EngineError> {
        let table = read_limited(folder, &variant.index.path, INDEX_BYTES_MAX)?;
        let weights = Weights::open(&folder.join(&variant.weights.path), &table, options.huge_pages)?;
        let text = utf8(
            &variant.graph.path,
            read_limited(folder, &variant.graph.path, GRAPH_BYTES_MAX as u64)?,
        )?;
        Ok((text, weights))
    }

    pub(crate) fn priors(&self) -> &Priors {
        &self.priors
    }

    /// The bundle's manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How the model is meant to be used.
    #[must_use]
    pub fn card(&self) -> &ModelCard {
        &self.manifest.card
    }

    /// The variant that was opened.
    #[must_use]
    pub fn variant(&self) -> &Variant {
        &self.manifest.variants[self.variant]
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The vocabulary as constrained decoding needs it. The first call prepares it, which takes some tenths of a second.
    ///
    /// # Errors
    /// [`EngineError::Memory`], and as [`Vocabulary::new`].
    pub fn vocabulary(&self) -> Result<Arc<Vocabulary>, EngineError> {
        if let Some(vocabulary) = self.vocabulary.get() {
            return Ok(vocabulary.clone());
        }
        let tokens = u64::from(self.tokenizer.vocabulary_len());
        check_room("answers with a form", 0, tokens * VOCABULARY_TOKEN_BYTES)?;
        let vocabulary = Arc::new(Vocabulary::new(self.tokenizer.clone())?);
        Ok(self.vocabulary.get_or_init(|| vocabulary).clone())
    }

    /// The chat template, if the model has one.
    #[must_use]
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.chat_template.as_ref()
    }

    /// Number of threads that compute.
    #[must_use]
    pub fn threads(&self) -> u32 {
        self.pool.threads() as u32
    }

    /// How long opening took, in milliseconds, verification included.
    #[must_use]
    pub fn load_ms(&self) -> f64 {
        self.load_ms
    }

    /// Number of layers in the graph, of attention or of a convolution.
    #[must_use]
    pub fn layers(&self) -> u32 {
        self.layout.layers() as u32
    }

    /// The precision of keys and values in sessions.
    #[must_use]
    pub fn kv_precision(&self) -> KvPrecision {
        self.layout.precision
    }

    /// A hash of what computed keys and values depend on beside the text: the bundle, the variant, the kernels and the precision. Those that
    /// were computed under another one are not quite the same.
    #[must_use]
    pub fn context_binding(&self) -> [u8; 32] {
        crate::session::prefix::binding(self)
    }

    /// Bytes of keys and values per token of context. In a layer with a window, tokens beyond the window take none.
    #[must_use]
    pub fn kv_bytes_per_token(&self) -> u64 {
        self.layout.bytes_per_token()
    }

    /// Bytes that a session with a context of so many tokens keeps at most: keys and values, with what it takes to go back to an earlier
    /// length of the text in layers with a window, and the columns of convolutions.
    #[must_use]
    pub fn kv_bytes(&self, context_length: u32) -> u64 {
        self.layout.bytes(context_length as usize)
    }

    /// The longest shared prefix that a session of this context may begin with to run `ids`.
    pub(crate) fn shared_prefix(&self, context_length: u32, ids: &[u32]) -> Option<Arc<SharedPrefix>> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = shared.iter().filter_map(Weak::upgrade);
        fitting
            .filter(|prefix| prefix.serves(context_length, ids))
            .max_by_key(|prefix| prefix.ids().len())
    }

    /// Lets other sessions find a prefix for as long as one uses it.
    pub(crate) fn add_shared_prefix(&self, prefix: &Arc<SharedPrefix>) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|other| other.strong_count() > 0);
        shared.push(Arc::downgrade(prefix));
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What a session of `context_length` tokens shares with the graph's operators.
    ///
    /// # Errors
    /// [`EngineError::Memory`].
    pub(crate) fn run_context(&self, context_length: u32) -> Result<RunContext, EngineError> {
        let cache = KvCache::new(&self.layout, context_length)?;
        Ok(RunContext::new(cache, self.pool.clone()))
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Model({}, {})", self.manifest.name, self.variant().name)
    }
}

fn threads(wanted: u32) -> Result<usize, EngineError> {
    if wanted as usize > THREADS_MAX {
        let expected = format!("0 (automatic) to {THREADS_MAX}");
        return Err(EngineError::Option {
            option: "threads",
            expected,
            found: wanted.to_string(),
        });
    }
    Ok(if wanted > 0 { wanted } else { default_threads() } as usize)
}

fn variant_index(manifest: &Manifest, wanted: Option<&str>) -> Result<usize, EngineError> {
    let Some(wanted) = wanted else { return Ok(0) };
    manifest
        .variants
        .iter()
        .position(|variant| variant.name == wanted)
        .ok_or_else(|| {
            let names: Vec<&str> = manifest.variants.iter().map(|variant| variant.name.as_str()).collect();
            EngineError::Option {
                option: "variant",
                expected: format!("one of {}", names.join(", ")),
                found: wanted.into(),
            }
        })
}

fn utf8(file: &str, bytes: Vec<u8>) -> Result<String, EngineError> {
    String::from_utf8(bytes).map_err(|error| EngineError::Corrupt {
        file: file.to_owned(),
        reason: format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()),
    })
}
