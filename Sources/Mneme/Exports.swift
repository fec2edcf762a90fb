// What the signatures of this module name, so that `import Mneme` alone is enough to use it.
@_exported public import MnemeBase
@_exported public import MnemePipeline
@_exported public import MnemeRecipes
@_exported public import MnemeStore
