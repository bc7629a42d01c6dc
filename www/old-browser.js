// A classic script, in the words of old browsers: it speaks up where the modules of this page
// cannot even be read, and so cannot say so themselves.
window.addEventListener('error', function (event) {
  var unreadable = event.error instanceof SyntaxError || !('noModule' in document.createElement('script'));
  if (!unreadable) return;
  document.documentElement.setAttribute('data-state', 'error');
  var status = document.getElementById('status');
  if (status) status.textContent = 'This browser is too old for Mien. Any current Chrome, Edge, Firefox or Safari works.';
});
