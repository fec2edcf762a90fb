// What the signatures of this module name: files of weights, tokenizers and chat templates.
@_exported public import MnemeFormats
@_exported public import MnemeText
