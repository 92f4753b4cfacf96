// scripts/bindings-values.py writes this from bindings/ffi/src/model.rs: change that, then run  make bindings.
package org.whimbrel

import kotlin.time.Duration

/**
 * Properties of an open model.
 *
 * @property name the model's display name.
 * @property version the bundle's version.
 * @property licence the licence of the weights as an SPDX expression, or `unknown`.
 * @property contextLength the longest context that the model supports, in tokens.
 * @property layers number of layers.
 * @property threads number of threads that compute.
 * @property loadTime how long opening took, verification included.
 * @property hasChatTemplate whether the model supports conversations; otherwise it only supports raw completions.
 * @property canThink whether the model can think before it answers, so that the option `thinking` can be switched on.
 * @property languages the languages that the model knows, as BCP 47 tags, best first; empty where the bundle does not
 *   say.
 * @property limits what people should know before they trust the model, to be shown to them; absent where the bundle
 *   does not say.
 */
public data class ModelInfo(
    public val name: String,
    public val version: String,
    public val licence: String,
    public val contextLength: Int,
    public val layers: Int,
    public val threads: Int,
    public val loadTime: Duration,
    public val hasChatTemplate: Boolean,
    public val canThink: Boolean,
    public val languages: List<String>,
    public val limits: String?,
)
