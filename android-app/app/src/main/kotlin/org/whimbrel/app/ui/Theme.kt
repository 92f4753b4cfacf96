package org.whimbrel.app.ui

import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.material3.ColorScheme
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.ui.graphics.Color

/**
 * The app's look: a shore at dusk. Slate blue of the water, sand, and the warmth of the low sun for what matters now.
 */
@Composable
fun WhimbrelTheme(content: @Composable () -> Unit) {
    MaterialTheme(colorScheme = if (isSystemInDarkTheme()) Dusk else Day, content = content)
}

internal val Day: ColorScheme =
    lightColorScheme(
        primary = Color(0xFF35566F),
        onPrimary = Color(0xFFFFFFFF),
        primaryContainer = Color(0xFFD3E4F1),
        onPrimaryContainer = Color(0xFF0C2A3D),
        inversePrimary = Color(0xFFA3C9E6),
        secondary = Color(0xFF6B5D4A),
        onSecondary = Color(0xFFFFFFFF),
        secondaryContainer = Color(0xFFEFE0C8),
        onSecondaryContainer = Color(0xFF251A0A),
        tertiary = Color(0xFF9C4A25),
        onTertiary = Color(0xFFFFFFFF),
        tertiaryContainer = Color(0xFFFFDBCB),
        onTertiaryContainer = Color(0xFF3A1304),
        error = Color(0xFFA8281F),
        onError = Color(0xFFFFFFFF),
        errorContainer = Color(0xFFFBDAD3),
        onErrorContainer = Color(0xFF410602),
        background = Color(0xFFFBF6EE),
        onBackground = Color(0xFF1E1B16),
        surface = Color(0xFFFBF6EE),
        onSurface = Color(0xFF1E1B16),
        surfaceVariant = Color(0xFFEBE1D3),
        onSurfaceVariant = Color(0xFF4D463B),
        surfaceTint = Color(0xFF35566F),
        inverseSurface = Color(0xFF34302A),
        inverseOnSurface = Color(0xFFF9F0E3),
        outline = Color(0xFF7E7668),
        outlineVariant = Color(0xFFD6CBBB),
        surfaceBright = Color(0xFFFBF6EE),
        surfaceDim = Color(0xFFDFD8CC),
        surfaceContainerLowest = Color(0xFFFFFFFF),
        surfaceContainerLow = Color(0xFFF6F0E6),
        surfaceContainer = Color(0xFFF1EADF),
        surfaceContainerHigh = Color(0xFFEBE4D8),
        surfaceContainerHighest = Color(0xFFE5DED2),
    )

internal val Dusk: ColorScheme =
    darkColorScheme(
        primary = Color(0xFFA3C9E6),
        onPrimary = Color(0xFF02344D),
        primaryContainer = Color(0xFF234A63),
        onPrimaryContainer = Color(0xFFD3E8F8),
        inversePrimary = Color(0xFF35566F),
        secondary = Color(0xFFD8C4A0),
        onSecondary = Color(0xFF3B2F17),
        secondaryContainer = Color(0xFF4D4129),
        onSecondaryContainer = Color(0xFFF5E0BB),
        tertiary = Color(0xFFFFB693),
        onTertiary = Color(0xFF562007),
        tertiaryContainer = Color(0xFF73361A),
        onTertiaryContainer = Color(0xFFFFDBCB),
        error = Color(0xFFFFB4A8),
        onError = Color(0xFF5F1108),
        errorContainer = Color(0xFF7C251A),
        onErrorContainer = Color(0xFFFFDAD3),
        background = Color(0xFF12171C),
        onBackground = Color(0xFFE4E2DC),
        surface = Color(0xFF12171C),
        onSurface = Color(0xFFE4E2DC),
        surfaceVariant = Color(0xFF3F474E),
        onSurfaceVariant = Color(0xFFC3CBD2),
        surfaceTint = Color(0xFFA3C9E6),
        inverseSurface = Color(0xFFE4E2DC),
        inverseOnSurface = Color(0xFF2D3238),
        outline = Color(0xFF8D959C),
        outlineVariant = Color(0xFF3A424A),
        surfaceBright = Color(0xFF383E44),
        surfaceDim = Color(0xFF12171C),
        surfaceContainerLowest = Color(0xFF0D1216),
        surfaceContainerLow = Color(0xFF182026),
        surfaceContainer = Color(0xFF1C252C),
        surfaceContainerHigh = Color(0xFF262F37),
        surfaceContainerHighest = Color(0xFF313A42),
    )
