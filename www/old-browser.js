// A classic script, in the words of old browsers: it speaks up where the modules of this page
// cannot even be read, and so cannot say so themselves.
(function () {
  function speakUp() {
    document.documentElement.setAttribute('data-state', 'error');
    document.getElementById('status').textContent = 'This browser is too old for Mien. Any current Chrome, Edge, Firefox or Safari works.';
  }
  if (!('noModule' in document.createElement('script'))) speakUp();
  window.addEventListener('error', function (event) {
    if (event.error instanceof SyntaxError) speakUp();
  });
})();
