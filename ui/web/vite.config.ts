import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// In development the API comes from a running `signalbox demo`.
const program = "http://127.0.0.1:7420";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    // The server's policy allows no data: scripts, styles or fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": { target: program, ws: true }, "/-": program } },
  test: {
    environment: "jsdom",
    setupFiles: "src/test/setup.ts",
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    unstubGlobals: true,
    testTimeout: 30_000,
    css: { include: /tokens\.css/ },
  },
});
