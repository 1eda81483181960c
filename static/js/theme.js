// Runs before the stylesheet, so that a page never flashes in the wrong theme.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage can be forbidden; the system's choice then holds
    }
  };

  const apply = () => {
    const theme = chosen() ?? (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme === "dark" ? "vo-dark" : "vo";
    document.documentElement.classList.toggle("dark-mode", theme === "dark"); // Swagger UI's word
  };

  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  // Paper is white, whatever the screen is.
  addEventListener("beforeprint", () => (document.documentElement.dataset.theme = "vo"));
  addEventListener("afterprint", apply);
})();
