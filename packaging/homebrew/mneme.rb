# A Homebrew formula, for a tap: `brew install --HEAD OWNER/TAP/mneme`. With a release, `url` and `sha256` of its source
# take the place of `head`.
class Mneme < Formula
  desc "Memory for language models, kept on your machine"
  homepage "https://github.com/OWNER/mneme"
  license "Apache-2.0"
  head "https://github.com/OWNER/mneme.git", branch: "main"

  depends_on xcode: ["26.0", :build]
  depends_on "hiredis"
  depends_on macos: :sequoia
  depends_on "snowball"

  uses_from_macos "sqlite"
  uses_from_macos "zlib"

  def install
    ENV.append "CPATH", "#{HOMEBREW_PREFIX}/include"
    ENV.append "LIBRARY_PATH", "#{HOMEBREW_PREFIX}/lib"
    system "make", "install", "PREFIX=#{prefix}"
  end

  service do
    run [opt_bin/"mneme", "serve"]
    keep_alive true
  end

  test do
    ENV["MNEME_HOME"] = testpath
    system bin/"mneme", "remember", "Ana moved to Lisbon.", "--no-embedder"
    assert_match "Lisbon", shell_output("#{bin}/mneme recall \"Where does Ana live?\" --no-embedder")
  end
end
